"""The page of failures: runs that have failed, whatever started them."""

from starlette.requests import Request

from afterwork.web.page import Page, PageContent, Site

PAGE_SIZE = 50


def show(site: Site, request: Request) -> PageContent:
    """Show the newest failures, of one work or of all."""
    work, before = request.query_params.get("work", ""), request.query_params.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() else None
    runs = site.insight.runs(work=work or None, outcome="failed", limit=PAGE_SIZE, before=number)
    older = runs[-1].id if len(runs) == PAGE_SIZE else None
    return PageContent("failures.html", {"runs": runs, "work": work, "older": older})


PAGES = (Page("/failures", show),)
