"""The API on a whole installation."""

from collections.abc import Sequence

from fastapi import APIRouter

from afterwork.insight import Finding, Overview, Status
from afterwork.web.site import Site


def router(site: Site) -> APIRouter:
    """What goes on, and whether the installation is right."""
    made = APIRouter(tags=["installation"])

    @made.get("/status")
    def status() -> Status:
        """Counts of what waits and runs, and who is there to run it. Spans are in ISO 8601."""
        return site.insight.status()

    @made.get("/overview")
    def overview() -> Overview:
        """Whether all is well, at one glance: a few numbers, the last hour, and what needs attention."""
        return site.insight.overview()

    @made.get("/check")
    def check() -> Sequence[Finding]:
        """Whether this installation is right, and what to do where it is not."""
        return site.insight.check()

    return made
