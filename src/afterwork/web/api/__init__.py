"""The JSON API, and the OpenAPI document that describes it."""

from fastapi import FastAPI

import afterwork
from afterwork.web.api import status
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
    for kind in (status,):
        made.include_router(kind.router(site))
    return made
