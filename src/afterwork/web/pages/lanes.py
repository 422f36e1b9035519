"""The page of lanes and servers, and the acts on them."""

from starlette.requests import Request

from afterwork.web.page import ActRequest, Page, PageAct, PageContent
from afterwork.web.site import Site


def show(site: Site, request: Request) -> PageContent:
    """Show all lanes, servers, runs outside of transactions, and actions that run once per database."""
    insight = site.insight
    return PageContent("lanes.html", {"activity": insight.activity(), "once": insight.once()})


def _pause(site: Site, request: ActRequest) -> str:
    name = site.insight.lane(str(request.path["name"])).name
    site.control.pause_lane(name, request.who)
    return f"Lane {name} is paused. Current runs go on; nothing more begins."


def _resume(site: Site, request: ActRequest) -> str:
    name = site.insight.lane(str(request.path["name"])).name
    site.control.resume_lane(name, request.who)
    return f"Lane {name} is resumed."


def _drain(site: Site, request: ActRequest) -> str:
    server = str(request.path["server"])
    site.control.drain(int(server) if server.isdecimal() else 0, request.who)
    return f"Server {server} begins nothing more, and leaves when its runs have ended."


def _retry_once(site: Site, request: ActRequest) -> str:
    name = request.text("name")
    site.control.retry_once(name, request.who)
    return f"{name} runs as soon as a server is free."


PAGES = (Page("/lanes", show),)
ACTS = (
    PageAct("/lanes/{name:path}/pause", _pause),
    PageAct("/lanes/{name:path}/resume", _resume),
    PageAct("/servers/{server}/drain", _drain),
    PageAct("/once/retry", _retry_once),
)
