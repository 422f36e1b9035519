"""The JSON API, and the OpenAPI document that describes it."""

from functools import partial

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, SQLAlchemyError

from afterwork.errors import AfterworkError, BadRequest, MalformedExternalId, NotThere
from afterwork.printable import printable
from afterwork.version import VERSION
from afterwork.web.api.head import HeadToo
from afterwork.web.api.parameters import ApiProblem
from afterwork.web.api.routes import add_routes
from afterwork.web.page import Site
from afterwork.web.routes import reason

PROBLEMS = {
    400: "The request is malformed",
    401: "The client is not known",
    403: "The client is not allowed to do that",
    404: "There is no such thing",
    408: "The body did not arrive in time",
    413: "The body is too large",
    422: "A parameter or the body is not as described",
    429: "The client has shown too many wrong tokens",
    503: "The database can't be reached, or the installation is incomplete",
}


def api(site: Site) -> FastAPI:
    """Return the API of a site. Its document is at `/api/openapi.json`."""
    made = FastAPI(
        title="Afterwork",
        version=VERSION,
        summary="The jobs of one database: their state, and acts on them.",
        description="Timestamps are in UTC, durations in ISO 8601.",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,  # the name that generated clients use
        responses={code: {"model": ApiProblem, "description": why} for code, why in PROBLEMS.items()},
    )
    made.add_exception_handler(RequestValidationError, _not_as_described)
    made.add_exception_handler(AfterworkError, partial(_problem, site))
    made.add_exception_handler(SQLAlchemyError, partial(_problem, site))
    made.add_middleware(HeadToo)
    add_routes(made, site)
    return made


async def _not_as_described(request: Request, error: Exception) -> JSONResponse:
    """Say what is wrong with a request, without what it has sent: not all that can be read as JSON can be written."""
    assert isinstance(error, RequestValidationError)
    wrong = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    return JSONResponse({"detail": printable("; ".join(wrong))}, 422)


async def _problem(site: Site, request: Request, error: Exception) -> JSONResponse:
    match error:
        case NotThere():
            status = 404
        case BadRequest() | MalformedExternalId() | DataError():
            status = 400
        case _:
            status = 503
    return JSONResponse({"detail": reason(site, error)}, status)
