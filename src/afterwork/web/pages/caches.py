"""Pages of caches: their states and causes, what they read, and who reads them."""

import shlex
from typing import get_args

from markupsafe import Markup
from starlette.requests import Request

from afterwork.derived.explain.explanation import CacheState
from afterwork.errors import BadRequest, shown
from afterwork.pictures.dependency_diagram import Hrefs, dependency_diagram
from afterwork.web.page import ActRequest, Page, PageAct, PageContent, Site
from afterwork.web.render import NOTHING, href, opened

STATES: tuple[CacheState, ...] = get_args(CacheState)


def show_all(site: Site, request: Request) -> PageContent:
    return PageContent("caches.html", {"caches": site.insight.caches()})


def show_list(site: Site, request: Request) -> PageContent:
    """Show the objects of one cache, all or those in one state."""
    name, after = request.path_params["name"], request.query_params.get("after")
    state = state_of(request.query_params.get("state"))
    insight = site.insight
    cache = insight.cache(name)
    counts = {"fresh": cache.fresh, "stale": cache.stale, "running": cache.running, "failed": cache.failed}
    listed = insight.caches_of(name, state, after)
    given = {"cache": cache, "state": state, "states": STATES, "counts": counts, "listed": listed, "after": after}
    return PageContent("cache_list.html", {**given, "has_work": site.has_work(name)})


def show_one(site: Site, request: Request) -> PageContent:
    """Show one cache of one object."""
    name, root = request.path_params["name"], request.path_params["root"]
    insight = site.insight
    why, around = insight.explain(root, name), insight.around(root, name)
    hrefs = Hrefs(
        lambda cache, of: href(request, "caches", cache, of),
        lambda groups: href(request, "caches", name, root, open=sorted(groups) or [NOTHING]),
    )
    given = {
        "why": why,
        "around": around,
        "picture": Markup(dependency_diagram(around, opened(request), hrefs)),
        "runs": insight.runs(work=why.name, root=root, limit=5),
        "command_line": f"{shlex.quote(root)} {name.rpartition('.')[2]}",
    }
    return PageContent("cache.html", given)


def show_impact(site: Site, request: Request) -> PageContent:
    """Show the caches that become stale if a member changes."""
    root, member = request.query_params.get("root", "").strip(), request.query_params.get("member", "").strip()
    readers = site.insight.impact(root, member) if root and member else ()
    command_line = f"impact {shlex.quote(root)} {shlex.quote(member)}" if root and member else ""
    return PageContent(
        "impact.html", {"root": root, "member": member, "readers": readers, "command_line": command_line}
    )


def recompute(site: Site, request: ActRequest) -> str:
    """Recompute a cache of an object."""
    root, cache = request.text("root"), request.text("cache")
    site.control.recompute(root, cache, request.who)
    return f"{cache} of {root} will run."


def state_of(text: str | None) -> CacheState | None:
    """Return a state by its name. Raises `BadRequest` for an unknown one."""
    if not text:
        return None
    for state in STATES:
        if state == text:
            return state
    raise BadRequest(f"A cache is never {shown(text)}. It is {', '.join(STATES)}.")


PAGES = (
    Page("/caches", show_all),
    Page("/caches/{name}", show_list),
    Page("/caches/{name}/{root:path}", show_one),
    Page("/impact", show_impact),
)
ACTS = (PageAct("/recompute", recompute),)
