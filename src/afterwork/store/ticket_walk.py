"""Walking over tickets: lists, counts and acts go along an index, and look at a bounded number of rows at a time. What
no index finds is filtered out of those."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    Text,
    and_,
    false,
    func,
    or_,
    select,
    true,
    type_coerce,
)

from afterwork.errors import BadRequest, shown
from afterwork.model.key import key_of
from afterwork.model.unique import has_begun
from afterwork.store.tables import lease as leases
from afterwork.store.ticket_conditions import meets
from afterwork.store.ticket_filter import ALL, TicketFilter
from afterwork.store.tickets import Columns, Group, Tickets

LOOKED_AT = 10_000
"""Rows that one look goes over if a filter asks for what no index finds, and tickets that are counted one by one."""


@dataclass(frozen=True)
class Count:
    """How many there are; with `or_more`, that many at least."""

    number: int
    or_more: bool = False

    def __add__(self, other: "Count") -> "Count":
        number = self.number + other.number
        return Count(min(number, LOOKED_AT), self.or_more or other.or_more or number > LOOKED_AT)

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.or_more else ''}"


@dataclass(frozen=True)
class Place:
    """The place of a ticket in a walk: its key, and its place in the order in which tickets run."""

    key: Any
    lane: str
    rank: int
    moment: Any

    @classmethod
    def of(cls, row: Row[Any]) -> "Place":
        return cls(row.key, row.lane, row.rank, row.moment)


@dataclass(frozen=True)
class Found:
    """Some tickets of a walk. `last` is the place from which it goes on, None at its end. `looked_at` is set if so many
    rows were looked at without finding as many as were asked for."""

    rows: Sequence[Row[Any]]
    last: Place | None = None
    looked_at: int | None = None


@dataclass(frozen=True)
class _Stretch:
    """Tickets that stand beside each other in an index, in its order: oldest or `newest_first`. `rest` is what is left
    to filter by."""

    where: ColumnElement[bool]
    rest: TicketFilter
    newest_first: bool = True
    in_order: bool = True


class Walk:
    """Walks over tickets as they are at one moment, `now`. In a database without Afterwork's own tables no run can be
    seen, and there is no index but that of the key: see `KeyWalk`."""

    def __init__(self, tickets: Tickets, now: datetime) -> None:
        self.tickets = tickets
        self.c: Columns = tickets.columns
        self.now = now
        self._now = tickets.moment(now)

    def page(self, connection: Connection, wanted: TicketFilter, after: Place | None, most: int) -> Found:
        """The next tickets that meet a filter, at most so many. Pending ones come in the order in which they run, all
        others newest first."""
        rows: list[Row[Any]] = []
        for stretch in self.stretches(connection, wanted, after):
            found = self._some(connection, stretch, most - len(rows))
            rows += found.rows
            if found.looked_at is not None:
                return Found(rows, found.last, found.looked_at)
            if found.last is not None:
                return Found(rows, Place.of(rows[-1]))
        return Found(rows)

    def all(self, connection: Connection, wanted: TicketFilter, at_once: int) -> Iterator[Sequence[Row[Any]]]:
        """All tickets that meet a filter, some at a time. Between two of them, the transaction may end."""
        found = self.page(connection, wanted, None, at_once)
        yield found.rows
        while found.last is not None:
            found = self.page(connection, wanted, found.last, at_once)
            yield found.rows

    def rows(self, connection: Connection, keys: Sequence[Any]) -> list[Row[Any]]:
        """The tickets with these keys, those that are there."""
        return list(connection.execute(self._shown(self._columns().where(self.c.key.in_(keys)).subquery())))

    def place(self, connection: Connection, key: str) -> Place:
        """The place of a ticket. Raises `BadRequest` if there is none."""
        for row in self.rows(connection, [self.key(key)]):
            return Place.of(row)
        raise BadRequest(f"The ticket {shown(key)}, behind which the list goes on, is gone. Begin at the first page.")

    def key(self, text: str) -> Any:
        """The key that a text names. Raises `BadRequest` if it can't be one."""
        try:
            return key_of(text, self.c.key)
        except ValueError:
            raise BadRequest(f"{shown(text)} can't be the key of a ticket.") from None

    def count(self, connection: Connection, wanted: TicketFilter) -> Count:
        """How many tickets meet a filter."""
        total = Count(0)
        if wanted == TicketFilter(state="done"):
            # By the index for receipts: among the newest tickets there may be none.
            return self._count(connection, _Stretch(self.c.delete_time.is_not(None), wanted))
        for stretch in self.stretches(connection, wanted, None):
            total += self._count(connection, stretch)
            if total.or_more:
                break
        return total

    def ahead(self, connection: Connection, place: Place) -> Count:
        """How many pending tickets of its lane come before the one at a place."""
        c, moment = self.c, self._moment()
        lane = and_(c.pending, c.lane == place.lane)
        sooner = or_(moment < place.moment, and_(moment == place.moment, c.key < place.key))
        counted = (and_(lane, c.priority < place.rank), and_(lane, c.priority == place.rank, sooner))
        first, second = (self._count(connection, _Stretch(where, ALL)) for where in counted)
        return first + second

    def stretches(self, connection: Connection, wanted: TicketFilter, after: Place | None) -> Iterator[_Stretch]:
        """What is to be walked over to find all that meet a filter, behind a place."""
        newer = true() if after is None else self.c.key < after.key
        rest = wanted.of_state(None)
        match wanted.state:
            case None | "done":
                yield _Stretch(newer, wanted)
            case "failed":
                yield _Stretch(and_(self.c.failed, newer), rest)
            case "running":
                yield _Stretch(and_(self._is_among(self._running(connection)), newer), rest)
            case state if wanted.root is not None and "!" in wanted.root:
                begun = true() if state == "pending" else ~has_begun(self.c.key)
                own = and_(self.c.root_id == wanted.root, self.c.pending, begun, newer)
                yield _Stretch(own, replace(wanted, root=None), in_order=False)
            case "pending":
                running = self._running(connection)
                if after is None or after.key not in running:
                    yield from self._in_lanes(connection, wanted, after)
                    newer = true()
                yield _Stretch(and_(self._is_among(running), newer), rest)
            case _:
                yield from self._in_lanes(connection, wanted, after)

    def _in_lanes(self, connection: Connection, wanted: TicketFilter, after: Place | None) -> Iterator[_Stretch]:
        groups = sorted(self.tickets.groups(connection), key=lambda group: (group.lane, group.priority))
        for group in groups:
            at = group.lane, group.priority
            if wanted.lane not in (None, group.lane) or (after is not None and at < (after.lane, after.rank)):
                continue
            behind = after if after is not None and at == (after.lane, after.rank) else None
            where = and_(self._of_group(group, wanted.state), true() if behind is None else self._behind(behind))
            yield _Stretch(where, replace(wanted, state=None, lane=None), newest_first=False)

    def _of_group(self, group: Group, state: str | None) -> ColumnElement[bool]:
        c, moment = self.c, self.c.moment
        own = and_(c.pending, ~has_begun(c.key), c.lane == group.lane, c.priority == group.priority)
        match state:
            case "waiting":
                return and_(own, or_(c.earliest.is_(None), and_(c.earliest <= self._now, moment <= self._now)))
            case "scheduled":
                return and_(own, c.earliest > self._now, moment > self._now)
            case _:
                return own

    def _behind(self, place: Place) -> ColumnElement[bool]:
        moment = self._moment()
        return and_(moment >= place.moment, or_(moment > place.moment, self.c.key > place.key))

    def _running(self, connection: Connection) -> list[Any]:
        keys = []
        for text in connection.execute(select(leases.c.ticket).limit(LOOKED_AT)).scalars():
            with suppress(ValueError):  # the lease of something that is no ticket
                keys.append(key_of(text, self.c.key))
        return keys

    def _is_among(self, keys: Sequence[Any]) -> ColumnElement[bool]:
        return and_(self.c.key.in_(keys), self.c.pending)

    def _moment(self) -> ColumnElement[Any]:
        """What orders tickets of one priority, as it can be given back. On SQLite that is a text, which programs have
        written with a fraction of a second or without: so it stays a text."""
        return type_coerce(self.c.moment, Text) if self.tickets.dialect == "sqlite" else self.c.moment

    def _columns(self) -> Select[Any]:
        c = self.c
        return select(
            c.key.label("key"), c.work.label("work"), c.root_id.label("root_id"), c.lane.label("lane"),
            c.own_priority.label("priority"), c.earliest.label("earliest"), c.created_at.label("created"),
            c.done.label("done"), c.delete_time.label("delete_time"), c.error.label("error"),
            c.attempts.label("attempts"), c.priority.label("rank"), self._moment().label("moment"),
        )  # fmt: skip

    def _shown(self, window: Subquery) -> Select[Any]:
        return select(window, has_begun(window.c.key).label("has_begun"))

    def _window(self, stretch: _Stretch, most: int) -> Select[Any]:
        found = self._columns().where(stretch.where).limit(most)
        if not stretch.in_order:
            return found
        return found.order_by(self.c.key.desc()) if stretch.newest_first else found.order_by(self.c.moment, self.c.key)

    def _some(self, connection: Connection, stretch: _Stretch, most: int) -> Found:
        """The first tickets of a stretch."""
        at_most = most + 1 if stretch.rest.is_all and stretch.in_order else LOOKED_AT
        window = self._window(stretch, at_most).subquery("looked_at")
        order = (window.c.key.desc(),) if stretch.newest_first else (window.c.moment, window.c.key)
        found = self._shown(window).where(meets(window.c, stretch.rest, self._now)).order_by(*order).limit(most + 1)
        rows = list(connection.execute(found))
        if len(rows) > most:
            return Found(rows[:most], Place.of(rows[most - 1]))
        if at_most < LOOKED_AT:
            return Found(rows)
        return self._end_of_look(connection, stretch, rows)

    def _end_of_look(self, connection: Connection, stretch: _Stretch, rows: Sequence[Row[Any]]) -> Found:
        end = connection.execute(self._window(stretch, 1).offset(LOOKED_AT - 1)).one_or_none()
        if end is None:
            return Found(rows)
        return Found(rows, Place.of(end) if stretch.in_order else None, LOOKED_AT)

    def _count(self, connection: Connection, stretch: _Stretch) -> Count:
        window = self._columns().where(stretch.where).limit(LOOKED_AT + 1).subquery("looked_at")
        met = func.count().filter(meets(window.c, stretch.rest, self._now))
        total, number = connection.execute(select(func.count(), met).select_from(window)).one()
        return Count(min(number, LOOKED_AT), total > LOOKED_AT)


class KeyWalk(Walk):
    """The same without Afterwork's own tables."""

    def stretches(self, connection: Connection, wanted: TicketFilter, after: Place | None) -> Iterator[_Stretch]:
        yield _Stretch(true() if after is None else self.c.key < after.key, wanted)

    def _shown(self, window: Subquery) -> Select[Any]:
        return select(window, false().label("has_begun"))
