"""The API on the model."""

from fastapi import APIRouter

from afterwork.insight.model import ModelView
from afterwork.web.site import Site


def router(site: Site) -> APIRouter:
    """What there is, and what can be asked for."""
    made = APIRouter(tags=["model"])

    @made.get("/model")
    def model() -> ModelView:
        """Classes, associations and view models."""
        return site.insight.model

    return made
