"""Claiming due tickets: a statement locks the lane and the first due tickets in it, or finds nothing."""

from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Select, bindparam, exists, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError

from afterwork.clock import MAX_CLOCK_SKEW
from afterwork.store import tables
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.lane_limits import MODES, LaneMode
from afterwork.store.leases import free_slot, lock_lane
from afterwork.store.readable_values import reading_any_text
from afterwork.store.tickets.columns import TicketColumns, has_begun
from afterwork.store.tickets.looking import WaitingTickets
from afterwork.store.tickets.rows import ClaimRequest, TicketRow


class ClaimableTickets(WaitingTickets):
    """The statements that claim tickets. Each is built when first needed: looking at tickets needs none."""

    @cached_property
    def _due(self) -> dict[LaneMode, DirectStatement]:
        asked: ColumnElement[int] = bindparam("priority")
        return {mode: DirectStatement(self._guarded(self._due_rows(asked), mode)) for mode in MODES}

    @cached_property
    def _first(self) -> dict[LaneMode, DirectStatement]:
        first = self._first_priority()
        return {mode: DirectStatement(self._guarded(self._due_rows(first), mode)) for mode in MODES}

    @cached_property
    def _one(self) -> dict[LaneMode, Select[Any]]:
        c = self.columns
        by_key = self._select().where(c.key == bindparam("key"), c.pending, ~has_begun(c.key))
        return {mode: self._guarded(by_key, mode) for mode in MODES}

    @cached_property
    def _second_priority(self) -> DirectStatement:
        return DirectStatement(self._first_priority_after(self._first_priority()))

    @cached_property
    def _next_priority(self) -> DirectStatement:
        return DirectStatement(self._first_priority_after(bindparam("than")))

    @cached_property
    def _policies(self) -> DirectStatement:
        """Return the query for whether policies of the table apply to this role."""
        preparer: Any = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
        name = preparer.format_table(self.contract.table)
        return DirectStatement(select(func.row_security_active(name)))

    def claim_due(
        self, connection: Connection, request: ClaimRequest, mode: LaneMode, by_rate: bool = False
    ) -> list[TicketRow]:
        """Lock and return the first due tickets, if this transaction can have their lane; else none.

        `by_rate` says that the caller observes the lane's rate, without which a lane with a rate can't be claimed.
        """
        values = {**self._bounds(request), "by_rate": by_rate}
        if request.priority is None:
            statement = self._first[mode]
        else:
            statement, values["priority"] = self._due[mode], request.priority
        with reading_any_text(connection):
            return [TicketRow.of(row) for row in statement.execute(connection, values)]

    def claim_later(
        self, connection: Connection, request: ClaimRequest, mode: LaneMode, by_rate: bool = False
    ) -> list[TicketRow]:
        """Lock and return the first due tickets of a later priority, if others have locked all those of the first."""
        if self.dialect != "postgresql":
            return []  # there is one lock for all
        later = self._later_priority(connection, request.lane, request.priority)
        if later is None or not (mode == "parallel" or lock_lane(connection, request.lane)):
            return []
        while later is not None:
            if rows := self.claim_due(connection, replace(request, priority=later), mode, by_rate):
                return rows
            later = self._later_priority(connection, request.lane, later)
        return []

    def _later_priority(self, connection: Connection, lane: str, priority: int | None) -> int | None:
        """Return the next priority with waiting tickets in a lane: after a given one, or after the lane's first."""
        if priority is None:
            rows = self._second_priority.execute(connection, {"lane": lane})
        else:
            rows = self._next_priority.execute(connection, {"lane": lane, "than": priority})
        return rows[0][0] if rows else None

    def claim_one(self, connection: Connection, lane: str, key: Any, mode: LaneMode) -> TicketRow | None:
        """Lock and return one pending ticket, if this transaction can have it and its lane; else None."""
        with reading_any_text(connection):
            rows = connection.execute(self._one[mode], {"lane": lane, "key": key, "by_rate": True}).all()
        return next(map(TicketRow.of, rows), None)

    def hidden(self, connection: Connection, request: ClaimRequest) -> list[TicketRow]:
        """Return the first due tickets that policies of the table let this role read and not lock.

        Empty while others have some of them locked.
        """
        if self.dialect != "postgresql" or not self._policies.execute(connection)[0][0]:
            return []
        first = request.priority is None
        priority: Any = self._first_priority() if first else bindparam("priority", request.priority)
        due = connection.execute(self._due_rows(priority), self._bounds(request)).all()
        tickets = [TicketRow.of(row) for row in due]
        can_lock = _lockable(connection, self.columns.key, [ticket.key for ticket in tickets])
        return [ticket for ticket in tickets if can_lock is not None and ticket.key not in can_lock]

    def _bounds(self, request: ClaimRequest) -> dict[str, Any]:
        now, latest = self.moment(request.now), self.moment(request.now + MAX_CLOCK_SKEW)
        return {"lane": request.lane, "now": now, "latest": latest, "limit": request.limit}

    def _first_priority(self) -> ColumnElement[int]:
        first = TicketColumns(self.contract, self.contract.table.alias("first"), self.dialect)
        return (
            select(first.priority)
            .where(self._waiting(first), first.lane == bindparam("lane"))
            .order_by(*first.order_in_lane)
            .limit(1)
            .scalar_subquery()
        )

    def _first_priority_after(self, priority: ColumnElement[int]) -> Select[Any]:
        """Return the query for the first priority, after a given one, with waiting tickets in a lane."""
        c = self.columns
        later = select(c.priority).where(self._waiting(c), c.lane == bindparam("lane"), c.priority > priority)
        return later.order_by(*c.order_in_lane).limit(1)

    def _due_rows(self, priority: ColumnElement[int]) -> Select[Any]:
        c = self.columns
        return (
            self._select()
            .where(self._waiting(c))
            .where(c.lane == bindparam("lane"), c.priority == priority)
            .where(c.moment <= bindparam("latest", type_=c.earliest.type))
            .where(self._is_due("now"))
            .order_by(c.moment, c.key)
            .limit(bindparam("limit"))
        )

    def _guarded(self, statement: Select[Any], mode: LaneMode) -> Select[Any]:
        """Return a statement that finds rows only if the lane is free, and locks it or one of its slots.

        Both are read as of the lock, not of the statement's beginning, so that nothing is missed that another server
        has just committed.
        """
        lane = tables.lane
        name: Any = bindparam("lane")
        by_rate: Any = bindparam("by_rate", type_=Boolean())
        free: Select[Any] = select(lane.c.name).where(lane.c.name == name, ~lane.c.paused)
        match mode:
            case "alone":
                is_alone = lane.c.lease.is_(None), lane.c.slots.is_(None), ~lane.c.has_rate | by_rate
                free = free.where(*is_alone).with_for_update(skip_locked=True)
            case "slots":
                free = (
                    free_slot(name).where(~lane.c.has_rate | by_rate).with_for_update(of=tables.slot, skip_locked=True)
                )
            case "parallel":
                pass  # needs neither lane nor rate
        locked = free.cte("locked")
        return statement.where(exists(select(locked.c.name))).with_for_update(of=self.contract.table, skip_locked=True)


def _lockable(connection: Connection, key: ColumnElement[Any], keys: Collection[Any]) -> set[Any] | None:
    """Return the keys whose rows this role may lock, on PostgreSQL and within a transaction. Return None if others have
    locked some."""
    if not keys:
        return set()
    rows = select(key).where(key.in_(keys)).with_for_update(key_share=True, read=True, nowait=True)
    connection.exec_driver_sql("SAVEPOINT afterwork_lockable")
    try:
        locked = set(connection.execute(rows).scalars())
    except OperationalError:  # not available
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT afterwork_lockable")
        return None
    connection.exec_driver_sql("RELEASE SAVEPOINT afterwork_lockable")
    return locked
