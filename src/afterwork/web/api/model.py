"""The API of the model."""

from fastapi import APIRouter

from afterwork.insight.model import ModelView
from afterwork.web.site import Site


def router(site: Site) -> APIRouter:
    """Return the route of the model."""
    made = APIRouter(tags=["model"])

    @made.get("/model")
    def model() -> ModelView:
        """Return classes, associations and view models."""
        return site.insight.model

    return made
