"""The JSON API, and the OpenAPI document that describes it."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, SQLAlchemyError

from afterwork.errors import AfterworkError, BadRequest, MalformedExternalId, NotThere
from afterwork.version import VERSION
from afterwork.web.api import caches, lanes, machines, model, status, tickets, timers
from afterwork.web.api.parameters import ApiProblem
from afterwork.web.routes import driver_message
from afterwork.web.site import Site

PROBLEMS = {
    400: "The request is malformed",
    401: "The client is not known",
    403: "The client is not allowed to do that",
    404: "There is no such thing",
    413: "The body is too large",
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
    made.add_exception_handler(AfterworkError, _problem)
    made.add_exception_handler(SQLAlchemyError, _no_database)
    made.add_exception_handler(DataError, _unstorable)
    for kind in (status, tickets, timers, caches, machines, lanes, model):
        made.include_router(kind.router(site))
    return made


async def _problem(request: Request, error: Exception) -> JSONResponse:
    """Answer with an error of Afterwork's."""
    match error:
        case NotThere():
            return JSONResponse({"detail": str(error)}, 404)
        case BadRequest() | MalformedExternalId():
            return JSONResponse({"detail": str(error)}, 400)
        case _:
            return JSONResponse({"detail": str(error)}, 503)


async def _no_database(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"The database says: {driver_message(error)}"}, 503)


async def _unstorable(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"The database can't hold what was asked for: {driver_message(error)}"}, 400)
