"""The page of everything derived, as one graph."""

from markupsafe import Markup
from starlette.requests import Request

from afterwork.errors import BadRequest, shown
from afterwork.insight.derived_graph import DerivedGraph
from afterwork.pictures.derived_diagram import GraphHrefs, derived_diagram
from afterwork.web.page import Page, PageContent, Site
from afterwork.web.render import href


def show(site: Site, request: Request) -> PageContent:
    """Show all derivations with what feeds them. With `?member=`, also what a change of that would affect."""
    view, member = site.insight.graph(), request.query_params.get("member", "").strip() or None
    if member is not None and member not in view.graph.members:
        raise BadRequest(f"Nothing derived reads or writes {shown(member)}, as far as runs have.")
    hrefs = GraphHrefs(
        lambda name: href(request, "works", name),
        lambda name: href(request, "caches", name, state="stale"),
        lambda cls: f"{href(request, 'model')}#{cls}",
        lambda name: href(request, "graph", member=name),
    )
    picture = Markup(derived_diagram(view, member, hrefs))
    given = {"view": view, "member": member, "picture": picture, "levels": _levels(view.graph)}
    return PageContent("graph.html", {**given, "affected": view.graph.affected_by(member) if member else ()})


def _levels(graph: DerivedGraph) -> list[str]:
    """Return the derivations by name, feeders first."""
    return sorted(graph.nodes, key=lambda name: (graph.nodes[name].level, name))


PAGES = (Page("/graph", show),)
