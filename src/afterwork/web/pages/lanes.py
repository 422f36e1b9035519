"""The page of lanes and servers, and acts on what runs once per database."""

from starlette.requests import Request

from afterwork.web.page import ActRequest, Page, PageAct, PageContent, Site


def show(site: Site, request: Request) -> PageContent:
    """Show all lanes, servers, runs outside of transactions, and actions that run once per database."""
    insight = site.insight
    return PageContent("lanes.html", {"activity": insight.activity(), "once": insight.once()})


def _retry_once(site: Site, request: ActRequest) -> str:
    name = request.text("name")
    site.control.retry_once(name, request.who)
    return f"{name} runs as soon as a server is free."


PAGES = (Page("/lanes", show),)
ACTS = (PageAct("/once/retry", _retry_once),)
