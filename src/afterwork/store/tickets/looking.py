"""Looking for waiting tickets, without locking any but the one that a run already holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
)

from afterwork.store.direct_statement import DirectStatement
from afterwork.store.key_lists import padded
from afterwork.store.readable_values import UndecodableText, reading_any_text
from afterwork.store.tickets.columns import TicketColumns, aware, has_begun
from afterwork.store.tickets.rows import DueGroup, TicketRow
from afterwork.store.tickets.ticket_table import TicketTable

OTHER = "other_ticket"


class WaitingTickets(TicketTable):
    """The statements that read tickets, none of which costs more because many tickets have ended."""

    def groups(self, connection: Connection) -> list[DueGroup]:
        """Return every lane and priority with pending tickets.

        Ordered by lane, and within a lane in the order in which they run. Touches one row for each.
        """
        with reading_any_text(connection):
            firsts = connection.execute(self._groups).all()
        return [DueGroup(key, lane, priority, aware(earliest)) for key, lane, priority, earliest in firsts]

    def work(self, connection: Connection, key: Any) -> str | None:
        """Return the name of a ticket's work; None if the ticket is gone."""
        work: str | None = connection.execute(select(self.columns.work).where(self.columns.key == key)).scalar()
        return work

    def row(self, connection: Connection, key: Any) -> TicketRow | None:
        """Return a pending ticket that this transaction's run already holds; None if it is gone."""
        rows: Sequence[Sequence[Any]]
        with reading_any_text(connection):
            if isinstance(key, UndecodableText):
                rows = connection.execute(self._pending_row(self._has_key(key))).all()
            else:
                rows = self._row.execute(connection, {"afterwork_key": key})
        return next(map(TicketRow.of, rows), None)

    @cached_property
    def _row(self) -> DirectStatement:
        return DirectStatement(self._pending_row(self.columns.key == bindparam("afterwork_key")))

    def _pending_row(self, has_key: ColumnElement[bool]) -> Select[Any]:
        return self._select().where(has_key, self.columns.pending).with_for_update()

    def rows(
        self, connection: Connection, keys: Sequence[Any], now: datetime, lane: str, priority: int
    ) -> list[TicketRow]:
        """Return those of some tickets that are still due at the same position of a lane, in its order."""
        with reading_any_text(connection):
            rows = self._still_in_place.execute(connection, self._place(keys, now, lane, priority))
        return [TicketRow.of(row) for row in rows]

    @cached_property
    def _still_in_place(self) -> DirectStatement:
        query = self._select().where(self._is_among(many=True), *self._is_still("in place"))
        return DirectStatement(query.order_by(self.columns.moment, self.columns.key))

    def _place(self, keys: Sequence[Any], now: datetime, lane: str, priority: int) -> dict[str, object]:
        return {
            "afterwork_which": padded(keys),
            "afterwork_at": self.moment(now),
            "afterwork_its_lane": lane,
            "afterwork_its_priority": priority,
        }

    def are_as_claimed(self, connection: Connection, rows: Sequence[TicketRow], now: datetime, lane: str) -> bool:
        """Return whether a lane's first tickets are these unchanged ones, in order. They have one priority."""
        keys, priority = [row.key for row in rows], rows[0].priority
        if self.rows(connection, keys, now, lane, priority) != [*rows]:
            return False
        return not self._overtaking.execute(connection, self._place(keys, now, lane, priority))

    @cached_property
    def _overtaking(self) -> DirectStatement:
        """Return the query for a ticket that this transaction has put in front of some that it has claimed.

        Those of others don't count: they have been committed since then."""
        table, names = self.contract.table, (OTHER, "claimed_ticket")
        other, claimed = (TicketColumns(self.contract, table.alias(name), self.dialect) for name in names)
        its_priority: ColumnElement[int] = bindparam("afterwork_its_priority")
        last = select(func.max(claimed.moment)).where(self._has_key_among(claimed)).scalar_subquery()
        overtakes = or_(other.priority < its_priority, and_(other.priority == its_priority, other.moment < last))
        is_due = other.is_due_at(bindparam("afterwork_at", type_=other.earliest.type))
        place = (other.pending, other.lane == bindparam("afterwork_its_lane"), overtakes, is_due)
        return DirectStatement(
            select(other.key).where(*place, self._has_other_key(other), _is_own(self.dialect)).limit(1)
        )

    def in_place(self, connection: Connection, rows: Sequence[TicketRow], now: datetime, lane: str) -> int:
        """Count those tickets of a lane that are still due at the same position of it."""
        count = 0
        query = select(func.count()).where(self._is_among(many=True), *self._is_still("in place"))
        for priority in {row.priority for row in rows}:
            keys = [row.key for row in rows if row.priority == priority]
            count += connection.execute(query, self._place(keys, now, lane, priority)).scalar_one()
        return count

    def in_places(self, connection: Connection, places: Mapping[Any, tuple[str, int]], now: datetime) -> int:
        """Count those tickets, by their keys, that are still due at the same positions of several lanes."""
        c = self.columns
        query = select(c.key, c.lane, c.priority).where(self._is_among(many=True), *self._is_still("due"))
        with reading_any_text(connection):
            rows = connection.execute(query, {"afterwork_which": [*places], "afterwork_at": self.moment(now)}).all()
        return sum(places[key] == (lane, priority) for key, lane, priority in rows)

    def is_used(self, lane: ColumnElement[str]) -> ColumnElement[bool]:
        return exists(select(self.columns.key).where(self.columns.pending, self.columns.lane == lane))

    def _waiting(self, c: TicketColumns) -> ColumnElement[bool]:
        return c.pending & ~has_begun(c.key)

    @cached_property
    def _groups(self) -> Select[Any]:
        """Return a loose index scan: from the first ticket of each group straight to the first of the next."""
        table = self.contract.table
        waiting = self._waiting
        first = TicketColumns(self.contract, table.alias("first"), self.dialect)
        head = (
            select(
                first.key.label("key"),
                first.lane.label("lane"),
                first.priority.label("priority"),
                first.earliest_read.label("earliest"),
            )
            .where(waiting(first))
            .order_by(*first.order)
            .limit(1)
            .subquery()
        )
        group = select(head).cte("ticket_group", recursive=True)
        same = TicketColumns(self.contract, table.alias("same"), self.dialect)
        in_same_lane = (
            select(same.key)
            .where(waiting(same), same.lane == group.c.lane, same.priority > group.c.priority)
            .order_by(*same.order_in_lane)
            .limit(1)
            .scalar_subquery()
        )
        other = TicketColumns(self.contract, table.alias("other"), self.dialect)
        in_next_lane = (
            select(other.key)
            .where(waiting(other), other.lane > group.c.lane)
            .order_by(*other.order)
            .limit(1)
            .scalar_subquery()
        )
        next_ticket = TicketColumns(self.contract, table.alias("found"), self.dialect)
        next_key = func.coalesce(in_same_lane, in_next_lane)
        step = select(next_ticket.key, next_ticket.lane, next_ticket.priority, next_ticket.earliest_read).select_from(
            group.join(next_ticket.source, next_ticket.key == next_key)
        )
        return select(group.union_all(step))


def _is_own(dialect: str) -> ColumnElement[bool]:
    """Return the condition that this transaction has written a row. On SQLite nobody else writes meanwhile."""
    if dialect == "sqlite":
        return true()
    return literal_column(f"{OTHER}.xmin = CAST(pg_current_xact_id() AS xid)", Boolean())
