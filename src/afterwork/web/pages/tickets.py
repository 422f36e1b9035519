"""Tickets: lists by state and search, one ticket, and what can be done to them."""

from shlex import quote

from starlette.requests import Request

from afterwork.control import result_lines
from afterwork.errors import BadRequest, shown
from afterwork.insight import TicketFilter
from afterwork.store.tickets.filter import QUALIFIERS, WANTED, Wanted
from afterwork.web.page import ActRequest, Page, PageAct, PageContent
from afterwork.web.site import Site

PAGE_SIZE = 50


def filter_of(text: str, state: str, **parts: str) -> TicketFilter:
    """The filter that a page's address, or its form, asks for. Raises `BadRequest` for what can't be meant."""
    return TicketFilter.read(text, _state(state)).narrowed(**parts)


def _state(text: str) -> Wanted | None:
    for state in WANTED:
        if text == state:
            return state
    if text:
        raise BadRequest(f"There is no state {shown(text)}. There are: {', '.join(WANTED)}.")
    return None


def show(site: Site, request: Request) -> PageContent:
    """A page of tickets that meet a filter."""
    query = request.query_params
    parts = {name: query.get(name, "") for name in QUALIFIERS}
    wanted = filter_of(query.get("q", ""), query.get("state", ""), **parts)
    after = query.get("after") or None
    insight = site.insight
    page, counts = insight.tickets(wanted, PAGE_SIZE, after), insight.ticket_counts(wanted)
    given = {"page": page, "counts": counts, "wanted": wanted, "search": str(wanted), "is_first": after is None}
    return PageContent("tickets.html", {**given, "options": options_of(wanted)})


def options_of(wanted: TicketFilter) -> str:
    """The options by which the command line asks for the same tickets."""
    state = "" if wanted.state is None else f" --state {wanted.state}"
    return state + (f" --search {quote(str(wanted))}" if str(wanted) else "")


def show_one(site: Site, request: Request) -> PageContent:
    """One ticket."""
    return PageContent("ticket.html", {"found": site.insight.ticket(request.path_params["key"])})


def _retry(site: Site, asked: ActRequest) -> str:
    return "\n".join(result_lines(site.control.retry_tickets(_selected(asked), asked.who), "retried"))


def _run(site: Site, asked: ActRequest) -> str:
    return "\n".join(result_lines(site.control.run_tickets_now(_selected(asked), asked.who), "due now"))


def _cancel(site: Site, asked: ActRequest) -> str:
    return "\n".join(result_lines(site.control.cancel_tickets(_selected(asked), asked.who), "cancelled"))


def _selected(asked: ActRequest) -> TicketFilter | list[str]:
    """What an act is about: the tickets that are ticked, or all that match."""
    if asked.text("all"):
        return filter_of(asked.text("q"), asked.text("state"))
    keys = asked.texts("keys")
    if not keys:
        raise BadRequest('Nothing was selected. Tick some tickets, or "all that match".')
    return keys


PAGES = (Page("/tickets", show), Page("/tickets/{key}", show_one))
ACTS = (PageAct("/tickets/retry", _retry), PageAct("/tickets/run", _run), PageAct("/tickets/cancel", _cancel))
