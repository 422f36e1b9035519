"""The API of a whole installation."""

from collections.abc import Sequence

from fastapi import APIRouter

from afterwork.insight import Finding
from afterwork.web.api.views import view_route
from afterwork.web.site import Site


def router(site: Site) -> APIRouter:
    """Return the routes of the installation: its status, an overview, and the findings of `check`."""
    made = APIRouter(tags=["installation"])

    view_route(made, "/status", site.insight.status)
    view_route(made, "/overview", site.insight.overview)

    @made.get("/check")
    def check() -> Sequence[Finding]:
        """Check this installation. Each finding that is not right says what to do."""
        return site.insight.check()

    return made
