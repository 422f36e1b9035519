"""Pages of tickets: lists by state and search, one ticket, and the acts on them."""

from collections.abc import Mapping
from functools import partial
from shlex import quote

from markupsafe import Markup
from starlette.requests import Request

from afterwork.control import TICKET_ACTS, TicketAct, result_lines
from afterwork.errors import BadRequest, shown
from afterwork.insight import TicketFilter
from afterwork.pictures.flow_diagram import flow_diagram
from afterwork.store.bounded_count import NONE, Count
from afterwork.store.tickets.filter import PENDING, QUALIFIERS, WANTED, TicketState, WantedState
from afterwork.web.page import ActRequest, Page, PageAct, PageContent, Site
from afterwork.web.render import href

PAGE_SIZE = 50


def filter_of(text: str, state: str, **parts: str) -> TicketFilter:
    """Return the filter of a page's URL or form. Raises `BadRequest` for an unknown state or a malformed search."""
    return TicketFilter.read(text, _state(state)).narrowed(**parts)


def _state(text: str) -> WantedState | None:
    for state in WANTED:
        if text == state:
            return state
    if text:
        raise BadRequest(f"There is no state {shown(text)}. There are: {', '.join(WANTED)}.")
    return None


def show(site: Site, request: Request) -> PageContent:
    """Show a page of tickets that match a filter."""
    query = request.query_params
    parts = {name: query.get(name, "") for name in QUALIFIERS}
    wanted = filter_of(query.get("q", ""), query.get("state", ""), **parts)
    after = query.get("after") or None
    insight = site.insight
    page, counts = insight.tickets(wanted, PAGE_SIZE, after), insight.ticket_counts(wanted)
    given = {"page": page, "counts": counts, "wanted": wanted, "search": str(wanted), "is_first": after is None}
    said = {"options": options_of(wanted), "all_that_match": all_that_match(wanted, counts)}
    return PageContent("tickets.html", {**given, **said})


def all_that_match(wanted: TicketFilter, counts: Mapping[TicketState, Count]) -> str:
    """Return what an act is on that is on all that match. Without a state, each act has another one by default."""
    if wanted.state is not None:
        return f"all {_count(wanted.state, counts)} that match"
    each = (f"{act.name} {_count(act.default_state, counts)} {act.default_state}" for act in TICKET_ACTS)
    return f"all that match ({', '.join(each)})"


def _count(state: WantedState, counts: Mapping[TicketState, Count]) -> Count:
    return sum((counts[pending] for pending in PENDING), NONE) if state == "pending" else counts[state]


def options_of(wanted: TicketFilter) -> str:
    """Return the options that select the same tickets on the command line."""
    state = "" if wanted.state is None else f" --state {wanted.state}"
    return state + (f" --search {quote(str(wanted))}" if str(wanted) else "")


def show_one(site: Site, request: Request) -> PageContent:
    detail = site.insight.ticket(request.path_params["key"])
    diagram = None
    if detail.flow is not None:
        diagram = Markup(flow_diagram(detail.flow, lambda key: href(request, "tickets", key)))
    return PageContent("ticket.html", {"detail": detail, "diagram": diagram})


def _act(act: TicketAct, site: Site, request: ActRequest) -> str:
    return "\n".join(result_lines(act, site.control.act_on_tickets(act, _selected(request), request.who)))


def _selected(request: ActRequest) -> TicketFilter | list[str]:
    """Return the tickets of an act: those that are ticked, or all that match."""
    if request.text("all"):
        return filter_of(request.text("q"), request.text("state"))
    keys = request.texts("keys")
    if not keys:
        raise BadRequest('Nothing was selected. Tick some tickets, or "all that match".')
    return keys


PAGES = (Page("/tickets", show), Page("/tickets/{key}", show_one))
ACTS = tuple(PageAct(f"/tickets/{act.name}", partial(_act, act)) for act in TICKET_ACTS)
