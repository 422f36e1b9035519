"""The JSON API, and the OpenAPI document that describes it."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, SQLAlchemyError

from afterwork.errors import AfterworkError, BadRequest, MalformedExternalId, NotThere
from afterwork.version import VERSION
from afterwork.web.api import caches, lanes, machines, model, status, tickets, timers
from afterwork.web.api.asking import ApiProblem
from afterwork.web.routes import driver_message
from afterwork.web.site import Site

PROBLEMS = {
    400: "What is asked for can't be meant",
    401: "Who asks is not known",
    403: "Who asks may not do that",
    404: "There is no such thing",
    413: "The body is too large",
    503: "The database, or the installation, is not as it must be",
}


def api(site: Site) -> FastAPI:
    """The API of one site. Its document is at `/api/openapi.json`; the same services answer as for the pages."""
    made = FastAPI(
        title="Afterwork",
        version=VERSION,
        summary="The jobs of one database: what goes on, and what can be done about it.",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,  # what programs made of the document call it
        responses={code: {"model": ApiProblem, "description": why} for code, why in PROBLEMS.items()},
    )
    made.add_exception_handler(AfterworkError, _problem)
    made.add_exception_handler(SQLAlchemyError, _no_database)
    made.add_exception_handler(DataError, _not_to_be_held)
    for kind in (status, tickets, timers, caches, machines, lanes, model):
        made.include_router(kind.router(site))
    return made


async def _problem(request: Request, error: Exception) -> JSONResponse:
    """An error of Afterwork's, as the client meets it."""
    match error:
        case NotThere():
            return JSONResponse({"detail": str(error)}, 404)
        case BadRequest() | MalformedExternalId():
            return JSONResponse({"detail": str(error)}, 400)
        case _:
            return JSONResponse({"detail": str(error)}, 503)


async def _no_database(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"The database says: {driver_message(error)}"}, 503)


async def _not_to_be_held(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"The database can't hold what was asked for: {driver_message(error)}"}, 400)
