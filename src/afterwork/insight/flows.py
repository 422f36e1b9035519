"""The flow around one ticket: what it waits for, what waits for it, and so on, as far as can be shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Column, Connection, select

from afterwork.insight.tickets import TicketView, views
from afterwork.model.flow import IfFailed
from afterwork.store.bounded_count import Count
from afterwork.store.tables import flow as flows
from afterwork.store.tables import prerequisite as pairs
from afterwork.store.tickets.walk import LOOKED_AT, TicketWalk

MAX_LISTED = 8
"""The most tickets of a flow that are shown at one distance."""

MAX_DISTANCE = 3
"""The most tickets between one that is shown and the ticket itself, this one included."""


@dataclass(frozen=True)
class FlowLevel:
    """The tickets at one distance from the ticket: negative for what it waits for, positive for what waits for it.

    `more` is the number of those that are not listed.
    """

    distance: int
    tickets: Sequence[TicketView]
    more: Count


@dataclass(frozen=True)
class FlowView:
    """The flow around one ticket. It waits for `pending` of its `prerequisites`; `if_failed` says what a failure means.

    `pairs` are keys of listed tickets: a prerequisite, and one that waits for it.
    """

    prerequisites: int
    pending: int
    if_failed: IfFailed | None
    levels: Sequence[FlowLevel]
    pairs: Sequence[tuple[str, str]]


def flow_around(connection: Connection, walk: TicketWalk, ticket: TicketView) -> FlowView | None:
    """Return the flow around a ticket; None if it is in none."""
    before = _levels(connection, walk, ticket, -1)
    after = _levels(connection, walk, ticket, 1)
    if not before and not after:
        return None
    own = select(flows.c.prerequisites, flows.c.pending, flows.c.if_failed, flows.c.decided)
    row = connection.execute(own.where(flows.c.ticket == ticket.key)).one_or_none()
    levels = [*reversed(before), FlowLevel(0, [ticket], Count(0)), *after]
    keys = [each.key for level in levels for each in level.tickets]
    shown = select(pairs.c.prerequisite, pairs.c.ticket).where(pairs.c.prerequisite.in_(keys), pairs.c.ticket.in_(keys))
    return FlowView(
        0 if row is None else row.prerequisites,
        0 if row is None or row.decided else row.pending,
        None if row is None else row.if_failed,
        levels,
        sorted((prerequisite, waiting) for prerequisite, waiting in connection.execute(shown)),
    )


def _levels(connection: Connection, walk: TicketWalk, ticket: TicketView, step: Literal[-1, 1]) -> list[FlowLevel]:
    near, far = (pairs.c.ticket, pairs.c.prerequisite) if step < 0 else (pairs.c.prerequisite, pairs.c.ticket)
    levels: list[FlowLevel] = []
    seen, keys = {ticket.key}, [ticket.key]
    for distance in range(1, MAX_DISTANCE + 1):
        beside, more = _next(connection, near, far, keys)
        keys = [key for key in beside if key not in seen]
        if not keys:
            break
        seen.update(keys)
        rows = walk.rows(connection, [walk.key(key) for key in keys])
        listed = sorted(views(connection, walk, rows), key=lambda each: keys.index(each.key))
        levels.append(FlowLevel(step * distance, listed, more))
    return levels


def _next(connection: Connection, near: Column[str], far: Column[str], keys: Sequence[str]) -> tuple[list[str], Count]:
    """Return some keys beside others, those of tickets that have not ended first, and how many more there are."""
    query = select(far, pairs.c.outcome).where(near.in_(keys)).limit(LOOKED_AT + 1)
    ends: dict[str, str | None] = {row[0]: row[1] for row in connection.execute(query)}
    in_order = sorted(ends, key=lambda key: (ends[key] is not None, len(key), key))
    return in_order[:MAX_LISTED], Count(max(0, len(in_order) - MAX_LISTED), len(in_order) > LOOKED_AT)
