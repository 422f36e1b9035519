"""The diagram of a flow: each ticket to the right of those that it waits for."""

from collections.abc import Callable

from afterwork.insight.flows import FlowLevel, FlowView
from afterwork.insight.tickets import TicketView
from afterwork.pictures.drawing import Frame, Line, arrow, drawn, height_of, stacked

GAP_X, GAP_Y, EDGE = 72.0, 18.0, 12.0

DOTS = {"done": "fresh", "failed": "failed", "expired": "failed", "running": "running", "waiting": "stale"}
"""The CSS class of the dot before a ticket, by its state; none before those whose turn has not come."""


def flow_diagram(flow: FlowView, href: Callable[[str], str]) -> str:
    """Return the diagram as an SVG. `href` returns the address of a ticket, by its key."""
    frames = {each.key: _frame(level, each, href) for level in flow.levels for each in level.tickets}
    columns = [[*(frames[each.key] for each in level.tickets), *_more(level)] for level in flow.levels]
    total = max(height_of(column, GAP_Y) for column in columns) + 2 * EDGE
    x = EDGE
    for column in columns:
        x += stacked(column, x, GAP_Y, total) + GAP_X
    edges = [arrow(frames[prerequisite], frames[waiting]) for prerequisite, waiting in flow.pairs]
    parts = (part for column in columns for frame in column for part in frame.parts())
    return drawn("The flow of this ticket", [*edges, *parts], x - GAP_X + EDGE, total)


def _frame(level: FlowLevel, ticket: TicketView, href: Callable[[str], str]) -> Frame:
    is_middle = not level.distance
    link = None if is_middle else href(ticket.key)
    title = Line(ticket.work or "(nothing)", ticket.key, link, DOTS.get(ticket.state))
    return Frame(title, [Line(ticket.root_id or "", ticket.state)], "middle" if is_middle else "")


def _more(level: FlowLevel) -> list[Frame]:
    return [Frame(Line(f"and {level.more} more"))] if level.more.number else []
