"""Lanes and servers: what runs, since when, who waits, and what can be done about it."""

from starlette.requests import Request

from afterwork.web.page import ActRequest, Page, PageAct, PageContent
from afterwork.web.site import Site


def show(site: Site, request: Request) -> PageContent:
    """All lanes, all servers, what runs outside of transactions, and what runs once per database."""
    insight = site.insight
    return PageContent("lanes.html", {"found": insight.activity(), "once": insight.once()})


def _pause(site: Site, asked: ActRequest) -> str:
    name = site.insight.lane(str(asked.path["name"])).name
    site.control.pause_lane(name, asked.who)
    return f"Lane {name} is paused. What runs goes on; nothing more begins."


def _resume(site: Site, asked: ActRequest) -> str:
    name = site.insight.lane(str(asked.path["name"])).name
    site.control.resume_lane(name, asked.who)
    return f"Lane {name} is open."


def _drain(site: Site, asked: ActRequest) -> str:
    server = str(asked.path["server"])
    site.control.drain(int(server) if server.isdecimal() else 0, asked.who)
    return f"Server {server} begins nothing more, and leaves when its runs have ended."


def _retry_once(site: Site, asked: ActRequest) -> str:
    name = asked.text("name")
    site.control.retry_once(name, asked.who)
    return f"{name} runs as soon as a server comes to it."


PAGES = (Page("/lanes", show),)
ACTS = (
    PageAct("/lanes/{name:path}/pause", _pause),
    PageAct("/lanes/{name:path}/resume", _resume),
    PageAct("/servers/{server}/drain", _drain),
    PageAct("/once/retry", _retry_once),
)
