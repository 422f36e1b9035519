"""The API of tickets."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query

from afterwork.control import TICKET_ACTS, ActResult, TicketAct
from afterwork.insight import Count, State, TicketPage
from afterwork.web.api.parameters import Actor, TicketQuery, TicketSelection
from afterwork.web.api.views import view_route
from afterwork.web.site import Site


class TicketPageQuery(TicketQuery):
    """Parameters of a page of tickets: at most `most` of those behind the ticket `after`."""

    most: Annotated[int, Query(ge=1, le=1000)] = 50
    after: str | None = None


def router(site: Site) -> APIRouter:
    """Return the routes of tickets, and of the acts on them."""
    made = APIRouter(tags=["tickets"])

    @made.get("/tickets")
    def tickets(query: Annotated[TicketPageQuery, Query()]) -> TicketPage:
        """Return tickets that match: pending ones in the order in which they run, others newest first."""
        return site.insight.tickets(query.filter, query.most, query.after)

    @made.get("/ticket-counts")
    def count_tickets(query: Annotated[TicketQuery, Query()]) -> dict[State, Count]:
        """Count the matching tickets in each state, whatever `state` is. Counts 10,000 at most."""
        return site.insight.ticket_counts(query.filter)

    view_route(made, "/tickets/{key}", site.insight.ticket)

    for act in TICKET_ACTS:
        made.post(f"/tickets/{act.name}", name=f"{act.name}_tickets", description=act.doc)(_act_endpoint(site, act))

    return made


def _act_endpoint(site: Site, act: TicketAct) -> Callable[[TicketSelection, str], ActResult]:
    def endpoint(selection: TicketSelection, who: Actor) -> ActResult:
        return site.control.act_on_tickets(act, selection.selected, who)

    return endpoint
