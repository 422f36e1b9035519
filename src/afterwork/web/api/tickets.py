"""The API on tickets."""

from typing import Annotated

from fastapi import APIRouter, Query

from afterwork.control import ActResult
from afterwork.insight import Count, State, TicketDetail, TicketPage
from afterwork.web.api.asking import Actor, TicketQuery, TicketSelection
from afterwork.web.site import Site


class TicketPageQuery(TicketQuery):
    """The same, some at a time: `most` of those that come behind the ticket `after`."""

    most: Annotated[int, Query(ge=1, le=1000)] = 50
    after: str | None = None


def router(site: Site) -> APIRouter:
    """Tickets, and what can be done to them."""
    made = APIRouter(tags=["tickets"])

    @made.get("/tickets")
    def tickets(asked: Annotated[TicketPageQuery, Query()]) -> TicketPage:
        """Tickets that match: pending ones in the order in which they run, others newest first."""
        return site.insight.tickets(asked.filter, asked.most, asked.after)

    @made.get("/ticket-counts")
    def count_tickets(asked: Annotated[TicketQuery, Query()]) -> dict[State, Count]:
        """How many tickets in each state match, whatever `state` is. Counts 10,000 at most."""
        return site.insight.ticket_counts(asked.filter)

    @made.get("/tickets/{key}")
    def ticket(key: str) -> TicketDetail:
        """One ticket: what it asks for, what has become of it so far, and why it waits."""
        return site.insight.ticket(key)

    @made.post("/tickets/retry")
    def retry_tickets(meant: TicketSelection, who: Actor) -> ActResult:
        """Let tickets run as soon as possible, also if they have ended, with all their attempts before them."""
        return site.control.retry_tickets(meant.selected, who)

    @made.post("/tickets/run")
    def run_tickets(meant: TicketSelection, who: Actor) -> ActResult:
        """Let tickets run as soon as possible that wait for a moment."""
        return site.control.run_tickets_now(meant.selected, who)

    @made.post("/tickets/cancel")
    def cancel_tickets(meant: TicketSelection, who: Actor) -> ActResult:
        """End tickets that have not begun, and ask runs that go on to stop."""
        return site.control.cancel_tickets(meant.selected, who)

    return made
