"""Pages of tickets, and their counts by state."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from afterwork.model.flow import AWAITING
from afterwork.model.key import key_text
from afterwork.store.bounded_count import Count
from afterwork.store.progress import ReportedProgress
from afterwork.store.tickets.columns import aware
from afterwork.store.tickets.filter import STATES, TicketFilter, TicketState, state_of
from afterwork.store.tickets.walk import TicketWalk


@dataclass(frozen=True)
class TicketView:
    """A ticket as it is shown. Timestamps are in UTC. `said` is the progress that its run reports."""

    key: str
    state: TicketState
    work: str | None
    root_id: str | None
    lane: str
    priority: int | None
    created: datetime | None
    execute_earliest: datetime | None
    done: datetime | None
    delete_time: datetime | None
    attempts: int
    error: str | None
    said: ReportedProgress | None = None


@dataclass(frozen=True)
class TicketPage:
    """A page of matching tickets: pending ones in the order in which they run, others newest first.

    `after` is the key to ask for the next page, None on the last one. `looked_at` is the number of tickets that were
    read without filling the page, if no index serves the search.
    """

    tickets: Sequence[TicketView]
    after: str | None
    looked_at: int | None


def page(connection: Connection, walk: TicketWalk, wanted: TicketFilter, after: str | None, limit: int) -> TicketPage:
    """Return a page of tickets. Raises `BadRequest` if the ticket `after` is gone."""
    position = None if after is None else walk.place(connection, after)
    rows = walk.page(connection, wanted, position, limit)
    last = None if rows.last is None else key_text(rows.last.key)
    return TicketPage(list(views(connection, walk, rows.rows)), last, rows.looked_at)


def counts(connection: Connection, walk: TicketWalk, wanted: TicketFilter) -> dict[TicketState, Count]:
    return {state: walk.count(connection, wanted.of_state(state)) for state in STATES}


def views(connection: Connection, walk: TicketWalk, rows: Sequence[Row[Any]]) -> Iterator[TicketView]:
    pending = [key_text(row.key) for row in rows if row.done is None and row.error is None]
    said = walk.said(connection, pending) if pending else {}
    return (view(row, walk.now, said) for row in rows)


def view(row: Row[Any], now: datetime, said: Mapping[str, ReportedProgress]) -> TicketView:
    key, earliest = key_text(row.key), aware(row.earliest)
    return TicketView(
        key=key,
        state=state_of(row.done, row.error, earliest, row.has_begun, now),
        work=row.work,
        root_id=row.root_id,
        lane=row.lane,
        priority=row.priority,
        created=aware(row.created),
        execute_earliest=None if earliest == AWAITING else earliest,
        done=aware(row.done),
        delete_time=aware(row.delete_time),
        attempts=row.attempts or 0,
        error=row.error,
        said=said.get(key),
    )
