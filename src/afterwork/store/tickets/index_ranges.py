"""Ranges of tickets that are adjacent in an index, so that walking over them touches no others."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, true

from afterwork.clock import MAX_CLOCK_SKEW
from afterwork.model.flow import AWAITING
from afterwork.model.key import parse_key
from afterwork.store.tables import lease as leases
from afterwork.store.tickets.columns import TicketColumns, has_begun
from afterwork.store.tickets.filter import TicketFilter
from afterwork.store.tickets.rows import DueGroup
from afterwork.store.tickets.statements import Tickets

MAX_RUNNING = 1000


@dataclass(frozen=True)
class IndexPosition:
    """The position of a ticket in a walk: its key, and its position in the order in which tickets run."""

    key: Any
    lane: str
    rank: int
    moment: Any

    @classmethod
    def of(cls, row: Row[Any]) -> "IndexPosition":
        return cls(row.key, row.lane, row.rank, row.stored)


@dataclass(frozen=True)
class IndexRange:
    """Tickets that are adjacent in an index, in its order: oldest or `newest_first`. `rest` is the part of the filter
    that the index does not cover."""

    where: ColumnElement[bool]
    rest: TicketFilter
    newest_first: bool = True
    in_order: bool = True


class IndexRanges:
    """The ranges of one ticket class at one time."""

    def __init__(self, tickets: Tickets, now: datetime) -> None:
        self.tickets = tickets
        self.c: TicketColumns = tickets.columns
        self._now, self._bound = tickets.moment(now), tickets.moment(now + MAX_CLOCK_SKEW)
        self._awaiting = tickets.moment(AWAITING)
        self._groups: Sequence[DueGroup] | None = None

    def of(self, connection: Connection, wanted: TicketFilter, after: IndexPosition | None) -> Iterator[IndexRange]:
        """Yield the ranges that contain all tickets that meet a filter, after a position."""
        newer = true() if after is None else self.c.key < after.key
        rest = wanted.of_state(None)
        match wanted.state:
            case None | "done":
                yield IndexRange(newer, wanted)
            case "failed" | "expired":
                yield IndexRange(and_(self.c.failed, newer), wanted)
            case "running":
                yield IndexRange(and_(self._is_among(self._running(connection)), newer), rest)
            case state if wanted.root is not None and "!" in wanted.root:
                begun = true() if state == "pending" else ~has_begun(self.c.key)
                own = and_(self.c.root_id == wanted.root, self.c.pending, begun, newer)
                yield IndexRange(own, replace(wanted, root=None), in_order=False)
            case "pending":
                running = self._running(connection)
                if after is None or after.key not in running:
                    yield from self._in_lanes(connection, wanted, after)
                    newer = true()
                yield IndexRange(and_(self._is_among(running), newer), rest)
            case _:
                yield from self._in_lanes(connection, wanted, after)

    def _in_lanes(
        self, connection: Connection, wanted: TicketFilter, after: IndexPosition | None
    ) -> Iterator[IndexRange]:
        for group in self.groups(connection):
            at = group.lane, group.priority
            if wanted.lane not in (None, group.lane) or (after is not None and at < (after.lane, after.rank)):
                continue
            behind = after if after is not None and at == (after.lane, after.rank) else None
            where = and_(self._of_group(group, wanted.state), true() if behind is None else self._behind(behind))
            yield IndexRange(where, replace(wanted, state=None, lane=None), newest_first=False)

    def groups(self, connection: Connection) -> Sequence[DueGroup]:
        """Return the lanes and priorities with waiting tickets, in walking order."""
        if self._groups is None:
            groups = self.tickets.groups(connection)
            self._groups = sorted(groups, key=lambda group: (group.lane, group.priority))
        return self._groups

    def _of_group(self, group: DueGroup, state: str | None) -> ColumnElement[bool]:
        c, moment = self.c, self.c.moment
        own = and_(c.pending, ~has_begun(c.key), c.lane == group.lane, c.priority == group.priority)
        match state:
            case "waiting":
                return and_(own, moment <= self._bound, c.is_due_at(self._now))
            case "scheduled":
                return and_(own, c.earliest > self._now, moment > self._now, c.earliest != self._awaiting)
            case "awaiting":
                return and_(own, c.earliest == self._awaiting, moment == self._awaiting)
            case _:
                return own

    def _behind(self, place: IndexPosition) -> ColumnElement[bool]:
        moment, at = self.c.compared(place.moment)
        return and_(moment >= at, or_(moment > at, self.c.key > place.key))

    def _running(self, connection: Connection) -> list[Any]:
        keys = []
        for text in connection.execute(select(leases.c.ticket).limit(MAX_RUNNING)).scalars():
            with suppress(ValueError):  # this lease belongs to no ticket
                keys.append(parse_key(text, self.c.key))
        return keys

    def _is_among(self, keys: Sequence[Any]) -> ColumnElement[bool]:
        return and_(self.c.key.in_(keys), self.c.pending)
