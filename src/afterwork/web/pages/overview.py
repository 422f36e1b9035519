"""The first page: whether all is well, and what is to be done if not."""

from starlette.requests import Request

from afterwork.web.page import Page, Shown
from afterwork.web.site import Site


def show(site: Site, request: Request) -> Shown:
    """A few numbers, and what needs attention."""
    return Shown("overview.html", {"status": site.insight.status()})


PAGES = (Page("/", show),)
