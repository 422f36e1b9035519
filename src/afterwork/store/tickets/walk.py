"""Walks over tickets: lists, counts and acts follow an index, and read a bounded number of rows at a time. The parts of
a filter that no index covers are applied to those."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Subquery, and_, false, func, or_, select, true

from afterwork.errors import BadRequest, shown
from afterwork.model.key import parse_key
from afterwork.store import progress
from afterwork.store.bounded_count import Count
from afterwork.store.progress import ReportedProgress
from afterwork.store.readable_values import reading_any_text
from afterwork.store.tickets.columns import TicketColumns, aware, has_begun
from afterwork.store.tickets.filter import ALL, TicketFilter, check_text, meets
from afterwork.store.tickets.index_ranges import IndexPosition, IndexRange, IndexRanges
from afterwork.store.tickets.statements import Tickets

LOOKED_AT = 10_000
"""The maximum number of rows of one look that an index alone can't filter, and of counted tickets."""


@dataclass(frozen=True)
class WalkResult:
    """Some tickets of a walk. `last` is the position from which it continues, None at its end. `looked_at` is set if
    that many rows were examined without finding as many tickets as requested."""

    rows: Sequence[Row[Any]]
    last: IndexPosition | None = None
    looked_at: int | None = None


class TicketWalk:
    """Walks over tickets as they are at one time, `now`. In a database without Afterwork's own tables no run can be
    seen, and only the key has an index: see `TicketKeyWalk`."""

    def __init__(self, tickets: Tickets, now: datetime) -> None:
        self.tickets = tickets
        self.c: TicketColumns = tickets.columns
        self.now = now
        self._now = tickets.moment(now)
        self._by_index = IndexRanges(tickets, now)

    def page(self, connection: Connection, wanted: TicketFilter, after: IndexPosition | None, most: int) -> WalkResult:
        """Return up to `most` next tickets that meet a filter. Pending ones come in the order in which they run, all
        others newest first."""
        rows: list[Row[Any]] = []
        for stretch in self._stretches(connection, wanted, after):
            result = self._some(connection, stretch, most - len(rows))
            rows += result.rows
            if result.looked_at is not None:
                return WalkResult(rows, result.last, result.looked_at)
            if result.last is not None:
                return WalkResult(rows, IndexPosition.of(rows[-1]))
        return WalkResult(rows)

    def all(self, connection: Connection, wanted: TicketFilter, at_once: int) -> Iterator[Sequence[Row[Any]]]:
        """Yield all tickets that meet a filter, some at a time. The transaction may end between them."""
        result = self.page(connection, wanted, None, at_once)
        yield result.rows
        while result.last is not None:
            result = self.page(connection, wanted, result.last, at_once)
            yield result.rows

    def rows(self, connection: Connection, keys: Sequence[Any]) -> list[Row[Any]]:
        """Return the existing tickets with these keys."""
        with reading_any_text(connection):
            return list(connection.execute(self._shown(self._columns().where(self.c.key.in_(keys)).subquery())))

    def place(self, connection: Connection, key: str) -> IndexPosition:
        """Return the position of a ticket. Raises `BadRequest` without such a ticket."""
        for row in self.rows(connection, [self.key(key)]):
            return IndexPosition.of(row)
        raise BadRequest(f"The ticket {shown(key)}, behind which the list goes on, is gone. Begin at the first page.")

    def key(self, text: str) -> Any:
        """Parse a ticket's key from text. Raises `BadRequest` if it can't be one."""
        check_text(text)
        try:
            return parse_key(text, self.c.key)
        except ValueError:
            raise BadRequest(f"{shown(text)} can't be the key of a ticket.") from None

    def expires(self, connection: Connection, key: str) -> datetime | None:
        """Return the timestamp after which a ticket is not to begin; None if it names none."""
        if self.tickets.contract.not_after is None:
            return None
        return aware(connection.execute(select(self.c.not_after).where(self.c.key == self.key(key))).scalar())

    def arguments(self, connection: Connection, key: str) -> object:
        """Return the arguments of a ticket, as its row has them; None without any."""
        with reading_any_text(connection):
            return connection.execute(select(self.c.arguments).where(self.c.key == self.key(key))).scalar()

    def result(self, connection: Connection, key: str) -> object:
        """Return the result of a ticket's work, as its row has it; None without any."""
        with reading_any_text(connection):
            return connection.execute(select(self.c.result).where(self.c.key == self.key(key))).scalar()

    def said(self, connection: Connection, tickets: Collection[str]) -> dict[str, ReportedProgress]:
        """Return the reported progress of runs, by the keys of their tickets as texts."""
        return progress.of_tickets(connection, tickets)

    def count(self, connection: Connection, wanted: TicketFilter) -> Count:
        total = Count(0)
        if wanted == TicketFilter(state="done"):
            # By the index for receipts: the newest tickets may include none.
            return self._count(connection, IndexRange(self.c.delete_time.is_not(None), wanted))
        for stretch in self._stretches(connection, wanted, None):
            total += self._count(connection, stretch)
            if total.or_more:
                break
        return total

    def lanes(self, connection: Connection) -> list[str]:
        """Return the lanes with waiting tickets."""
        return sorted({group.lane for group in self._by_index.groups(connection)})

    def firsts(self, connection: Connection, wanted: TicketFilter) -> list[Row[Any]]:
        """Return the first ticket that meets a filter in each lane and priority, or other range."""
        pages = [self._some(connection, stretch, 1).rows for stretch in self._stretches(connection, wanted, None)]
        return [row for rows in pages for row in rows]

    def ahead(self, connection: Connection, place: IndexPosition) -> Count:
        """Count the pending tickets that precede a position in its lane."""
        c = self.c
        moment, at = c.compared(place.moment)
        lane = and_(c.pending, c.lane == place.lane)
        sooner = or_(moment < at, and_(moment == at, c.key < place.key))
        counted = (and_(lane, c.priority < place.rank), and_(lane, c.priority == place.rank, sooner))
        first, second = (self._count(connection, IndexRange(where, ALL)) for where in counted)
        return first + second

    def _stretches(
        self, connection: Connection, wanted: TicketFilter, after: IndexPosition | None
    ) -> Iterator[IndexRange]:
        return self._by_index.of(connection, wanted, after)

    def _columns(self) -> Select[Any]:
        c = self.c
        return select(
            c.key.label("key"), c.work.label("work"), c.root_id.label("root_id"), c.lane.label("lane"),
            c.own_priority.label("priority"), c.earliest_read.label("earliest"), c.created_at.label("created"),
            c.done_read.label("done"), c.delete_time_read.label("delete_time"), c.error.label("error"),
            c.attempts.label("attempts"), c.priority.label("rank"), c.moment_read.label("moment"),
            c.moment_as_stored.label("stored"),
        )  # fmt: skip

    def _shown(self, window: Subquery) -> Select[Any]:
        return select(window, has_begun(window.c.key).label("has_begun"))

    def _window(self, stretch: IndexRange, most: int) -> Select[Any]:
        query = self._columns().where(stretch.where).limit(most)
        if not stretch.in_order:
            return query
        return query.order_by(self.c.key.desc()) if stretch.newest_first else query.order_by(self.c.moment, self.c.key)

    def _some(self, connection: Connection, stretch: IndexRange, most: int) -> WalkResult:
        at_most = most + 1 if stretch.rest.is_all and stretch.in_order else LOOKED_AT
        window = self._window(stretch, at_most).subquery("looked_at")
        order = (window.c.key.desc(),) if stretch.newest_first else (window.c.moment, window.c.key)
        query = self._shown(window).where(meets(window.c, stretch.rest, self._now)).order_by(*order).limit(most + 1)
        with reading_any_text(connection):
            rows = list(connection.execute(query))
        if len(rows) > most:
            return WalkResult(rows[:most], IndexPosition.of(rows[most - 1]))
        if at_most < LOOKED_AT:
            return WalkResult(rows)
        return self._end_of_look(connection, stretch, rows)

    def _end_of_look(self, connection: Connection, stretch: IndexRange, rows: Sequence[Row[Any]]) -> WalkResult:
        with reading_any_text(connection):
            end = connection.execute(self._window(stretch, 1).offset(LOOKED_AT - 1)).one_or_none()
        if end is None:
            return WalkResult(rows)
        return WalkResult(rows, IndexPosition.of(end) if stretch.in_order else None, LOOKED_AT)

    def _count(self, connection: Connection, stretch: IndexRange) -> Count:
        window = self._columns().where(stretch.where).limit(LOOKED_AT + 1).subquery("looked_at")
        met = func.count().filter(meets(window.c, stretch.rest, self._now))
        total, number = connection.execute(select(func.count(), met).select_from(window)).one()
        return Count(min(number, LOOKED_AT), total > LOOKED_AT)


class TicketKeyWalk(TicketWalk):
    """A walk in a database without Afterwork's own tables."""

    def _stretches(
        self, connection: Connection, wanted: TicketFilter, after: IndexPosition | None
    ) -> Iterator[IndexRange]:
        yield IndexRange(true() if after is None else self.c.key < after.key, wanted)

    def said(self, connection: Connection, tickets: Collection[str]) -> dict[str, ReportedProgress]:
        return {}

    def _shown(self, window: Subquery) -> Select[Any]:
        return select(window, false().label("has_begun"))
