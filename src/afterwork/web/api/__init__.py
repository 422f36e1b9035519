"""The JSON API, and the OpenAPI document that describes it."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import afterwork
from afterwork.errors import AfterworkError, BadRequest, MalformedExternalId
from afterwork.web.api import caches, machines, model, status
from afterwork.web.site import Site


def api(site: Site) -> FastAPI:
    """The API of one site. Its document is at `/api/openapi.json`; the same services answer as for the pages."""
    made = FastAPI(
        title="Afterwork",
        version=afterwork.__version__,
        summary="The jobs of one database: what goes on, and what can be done about it.",
        docs_url=None,
        redoc_url=None,
    )
    for kind_of_error in (BadRequest, MalformedExternalId):
        made.add_exception_handler(kind_of_error, _not_found)
    made.add_exception_handler(AfterworkError, _not_ready)
    for kind in (status, caches, machines, model):
        made.include_router(kind.router(site))
    return made


def _not_found(request: Request, error: Exception) -> JSONResponse:
    """There is no such thing, or it can't be done to it."""
    return JSONResponse({"detail": str(error)}, 404)


def _not_ready(request: Request, error: Exception) -> JSONResponse:
    """The installation is not as it must be."""
    return JSONResponse({"detail": str(error)}, 503)
