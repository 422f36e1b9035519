"""The statements on the ticket table. Each is built once; none costs more because many tickets have ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Connection,
    Select,
    Text,
    Update,
    any_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from afterwork.clock import MAX_CLOCK_SKEW
from afterwork.errors import NotWritten
from afterwork.model.contract import DEFAULT_KEEP_MINUTES, Contract, timestamp_for
from afterwork.store import tables
from afterwork.store.direct import Direct
from afterwork.store.lane_limits import MODES, Mode
from afterwork.store.leases import free_slot
from afterwork.store.locking import lockable
from afterwork.store.readable_values import UndecodableText, reading_any_text
from afterwork.store.texts import fitted
from afterwork.store.tickets.columns import TicketColumns, aware, one_more
from afterwork.store.tickets.end_forms import AS_ASKED, EndForm, write_in_form
from afterwork.store.tickets.pending import has_begun

Still = Literal["whatever", "due", "in place"]
"""Which tickets are ended: those that are named, whatever has become of them; those of them that are due; or those that
are in the same place of their lane as well."""

STILL: Sequence[Still] = ("whatever", "due", "in place")


@dataclass(frozen=True)
class DueGroup:
    """The pending tickets of one lane and priority: the first one's key, and its ExecuteEarliest, None if it waits for
    no moment."""

    key: Any
    lane: str
    priority: int
    earliest: datetime | None


@dataclass(frozen=True)
class TicketRow:
    """What a run needs of a ticket's row, as it stands there. `created` is a text that differs where keys come back."""

    key: Any
    work: str | None
    root_id: str | None
    keep_minutes: object
    attempts: int
    created: str | None
    lane: str | None
    execute_earliest: datetime | None
    created_at: datetime | None
    priority: int
    trace_parent: str | None
    not_after: datetime | None
    odd_earliest: str | None
    """What stands in ExecuteEarliest, if it is no moment."""

    @classmethod
    def of(cls, row: Sequence[Any]) -> "TicketRow":
        """Return the ticket of a row."""
        found = cls(*row)
        # A program may have written no number there, which SQLite allows.
        return found if isinstance(found.attempts, int) else replace(found, attempts=0)

    @property
    def due(self) -> datetime | None:
        """From when on it could have been run."""
        return max(filter(None, map(aware, (self.execute_earliest, self.created_at))), default=None)


@dataclass(frozen=True)
class EndedTicket:
    """How a ticket's row is left: `error` is None if it ended well."""

    row: TicketRow
    keep_minutes: int
    error: str | None
    form: EndForm = AS_ASKED


class Tickets:
    """The queries of one ticket class on one kind of database ("sqlite" or "postgresql")."""

    def __init__(self, contract: Contract, dialect: str) -> None:
        self.contract = contract
        self.dialect = dialect
        self.columns = TicketColumns(contract, contract.table, dialect)

    # Built when first needed: whoever only looks at tickets needs none of them.

    @cached_property
    def _groups(self) -> Select[Any]:
        return self._groups_statement()

    @cached_property
    def _due(self) -> dict[Mode, Direct]:
        asked: ColumnElement[int] = bindparam("priority")
        return {mode: Direct(self._due_statement(mode, asked)) for mode in MODES}

    @cached_property
    def _first(self) -> dict[Mode, Direct]:
        first = self._first_priority()
        return {mode: Direct(self._due_statement(mode, first)) for mode in MODES}

    @cached_property
    def _one(self) -> dict[Mode, Select[Any]]:
        return {mode: self._one_statement(mode) for mode in MODES}

    @cached_property
    def _policies(self) -> Direct:
        """Asks whether policies of the table are for this role."""
        preparer: Any = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
        name = preparer.format_table(self.contract.table)
        return Direct(select(func.row_security_active(name)))

    @cached_property
    def _end(self) -> dict[tuple[bool, bool, Still], Direct]:
        return {
            (error, many, still): Direct(self._end_statement(error, many, still))
            for error in (True, False)
            for many in (True, False)
            for still in STILL
        }

    def groups(self, connection: Connection) -> list[DueGroup]:
        """Every lane and priority with pending tickets, in the order in which they run. Touches one row for each."""
        with reading_any_text(connection):
            found = connection.execute(self._groups).all()
        return [DueGroup(key, lane, priority, aware(earliest)) for key, lane, priority, earliest in found]

    def claim_due(
        self,
        connection: Connection,
        lane: str,
        priority: int | None,
        now: datetime,
        most: int,
        mode: Mode,
        by_rate: bool = False,
    ) -> list[TicketRow]:
        """Lock and return the first due tickets of a lane and priority, if this transaction can have the lane; else
        none. Without a priority, that of the lane's first ticket is taken, whether it is due or not. `by_rate` says
        that the rate of the lane, if it has one, is seen to."""
        values = {
            "lane": lane,
            "now": self.moment(now),
            "bound": self.moment(now + MAX_CLOCK_SKEW),
            "most": most,
            "by_rate": by_rate,
        }
        if priority is None:
            statement = self._first[mode]
        else:
            statement, values["priority"] = self._due[mode], priority
        with reading_any_text(connection):
            return [TicketRow.of(row) for row in statement.execute(connection, values)]

    def claim_one(self, connection: Connection, lane: str, key: Any, mode: Mode) -> TicketRow | None:
        """Lock and return one pending ticket, if this transaction can have it and its lane; else None."""
        with reading_any_text(connection):
            rows = connection.execute(self._one[mode], {"lane": lane, "key": key, "by_rate": True}).all()
        return next(map(TicketRow.of, rows), None)

    def work(self, connection: Connection, key: Any) -> str | None:
        """Return what a ticket asks for, by its name; None if it is not there."""
        work: str | None = connection.execute(select(self.columns.work).where(self.columns.key == key)).scalar()
        return work

    def hidden(
        self, connection: Connection, lane: str, priority: int | None, now: datetime, most: int
    ) -> list[TicketRow]:
        """Return the first due tickets of a lane and priority that policies of the table let this role read and not
        lock. [] while others have some of them locked."""
        if self.dialect != "postgresql" or not self._policies.execute(connection)[0][0]:
            return []
        asked: Any = self._first_priority() if priority is None else bindparam("priority", priority)
        values = {"lane": lane, "now": self.moment(now), "bound": self.moment(now + MAX_CLOCK_SKEW), "most": most}
        rows = connection.execute(self._due_rows(asked), values).all()
        found = [TicketRow.of(row) for row in rows]
        seen = lockable(connection, self.columns.key, [one.key for one in found])
        return [one for one in found if seen is not None and one.key not in seen]

    def row(self, connection: Connection, key: Any) -> TicketRow | None:
        """A pending ticket that this transaction's run holds already, or None if it is not there."""
        held = self._select().where(self._has_key(key), self.columns.pending).with_for_update()
        with reading_any_text(connection):
            rows = connection.execute(held).all()
        return next(map(TicketRow.of, rows), None)

    def rows(
        self, connection: Connection, keys: Sequence[Any], now: datetime, lane: str, priority: int
    ) -> list[TicketRow]:
        """Those of some tickets that are still to run, in the same place of a lane, in its order."""
        place = {"which": [*keys], "at": self.moment(now), "its_lane": lane, "its_priority": priority}
        found = self._select().where(self._is_among(many=True), *self._is_still("in place"))
        with reading_any_text(connection):
            return [
                TicketRow.of(row)
                for row in connection.execute(found.order_by(self.columns.moment, self.columns.key), place)
            ]

    def end(self, connection: Connection, ended: Sequence[EndedTicket], now: datetime) -> None:
        """Write Done, DeleteTime, Error and Attempts. Raises `NotWritten` if a trigger has passed over that in
        silence."""
        if self._end_all(connection, ended, now, "whatever", {}) < len(ended):
            self._check_ended(connection, ended)

    def _check_ended(self, connection: Connection, ended: Sequence[EndedTicket]) -> None:
        c = self.columns
        left = select(c.key).where(c.key.in_([one.row.key for one in ended]), c.pending)
        if connection.execute(left.limit(1)).first() is not None:
            raise NotWritten(self.contract.table.name)

    def end_odd(self, connection: Connection, key: Any, why: str, now: datetime) -> None:
        """End a ticket with an Error, on SQLite, which no claim could name: by its key, which may be `Damaged`."""
        c = self.contract
        values = {
            c.done.column: self.moment(now),
            c.delete_time.column: self.moment(now + timedelta(minutes=DEFAULT_KEEP_MINUTES)),
            c.error.column: fitted(connection, c.error.column, why),
        }
        connection.execute(update(c.table).where(self._has_key(key), self.columns.pending).values(values))

    def _has_key(self, key: Any) -> ColumnElement[bool]:
        return self.columns.key == (cast(literal(key.raw), Text) if isinstance(key, UndecodableText) else key)

    def end_batch(self, connection: Connection, ended: Sequence[EndedTicket], now: datetime, lane: str | None) -> int:
        """Write the same of several tickets as far as they are still to run, in the same place of the lane, if they
        were claimed in the order of one. Returns how many that are."""
        if lane is None:
            return self._end_all(connection, ended, now, "due", {})
        priorities: dict[int, list[EndedTicket]] = {}
        for one in ended:
            priorities.setdefault(one.row.priority, []).append(one)
        return sum(
            self._end_all(connection, some, now, "in place", {"its_lane": lane, "its_priority": priority})
            for priority, some in priorities.items()
        )

    def in_place(self, connection: Connection, rows: Sequence[TicketRow], now: datetime, lane: str) -> int:
        """Count those tickets of a lane that are still to run, in the same place of it."""
        count = 0
        for priority in {row.priority for row in rows}:
            keys = [row.key for row in rows if row.priority == priority]
            found = select(func.count()).where(self._is_among(many=True), *self._is_still("in place"))
            place = {"which": keys, "at": self.moment(now), "its_lane": lane, "its_priority": priority}
            count += connection.execute(found, place).scalar_one()
        return count

    def in_places(self, connection: Connection, places: Mapping[Any, tuple[str, int]], now: datetime) -> int:
        """Count those tickets, by their keys, that are still to run, in the same places of several lanes."""
        c = self.columns
        found = select(c.key, c.lane, c.priority).where(self._is_among(many=True), *self._is_still("due"))
        with reading_any_text(connection):
            rows = connection.execute(found, {"which": [*places], "at": self.moment(now)}).all()
        return sum(places[key] == (lane, priority) for key, lane, priority in rows)

    def _end_all(
        self,
        connection: Connection,
        ended: Sequence[EndedTicket],
        now: datetime,
        still: Still,
        place: Mapping[str, object],
    ) -> int:
        count = 0
        alike: dict[tuple[int, str | None], list[Any]] = {}
        for one in ended:
            if one.form == AS_ASKED:
                error = None if one.error is None else fitted(connection, self.contract.error.column, one.error)
                alike.setdefault((one.keep_minutes, error), []).append(one.row.key)
            else:
                count += write_in_form(
                    connection, self.contract, one.form, one.row.key, one.error, self.moment(now), one.keep_minutes
                )
        for (keep, error), keys in alike.items():
            many = len(keys) > 1
            values = {
                "ended": self.moment(now),
                "until": self.moment(now + timedelta(minutes=keep)),
                "which": keys if many else keys[0],
                **({} if error is None else {"why": error}),
                **({} if still == "whatever" else {"at": self.moment(now)}),
                **place,
            }
            count += self._end[error is not None, many, still].change(connection, values)
        return count

    def try_again(self, connection: Connection, row: TicketRow, until: datetime) -> None:
        """Let a ticket have another attempt, not before a moment."""
        self._set_earliest(connection, self._attempted(), row, until)

    def put_off(self, connection: Connection, row: TicketRow, until: datetime) -> None:
        """Let a ticket wait until a moment, as if it had not been claimed."""
        self._set_earliest(connection, update(self.contract.table), row, until)

    def _set_earliest(self, connection: Connection, statement: Update, row: TicketRow, until: datetime) -> None:
        moment = {self.contract.execute_earliest.column: self.moment(until)}
        of_row = self.columns.key == row.key
        changed = connection.execute(statement.where(of_row).values(moment)).rowcount
        if not changed and connection.execute(select(self.columns.key).where(of_row)).first() is not None:
            raise NotWritten(self.contract.table.name)

    def move(self, connection: Connection, keys: Sequence[Any], lane: str) -> None:
        """Put tickets into the lane that their work declares."""
        assert self.contract.lane is not None  # else all of them are in `main`
        column = self.contract.lane.column
        connection.execute(update(self.contract.table).where(self.columns.key.in_(keys)).values({column: lane}))

    def is_used(self, lane: ColumnElement[str]) -> ColumnElement[bool]:
        """Whether a ticket is pending in a lane."""
        return exists(select(self.columns.key).where(self.columns.pending, self.columns.lane == lane))

    def prune(self, connection: Connection, now: datetime, most: int) -> int:
        """Delete some receipts whose DeleteTime has passed. Returns how many; 0 says that none is left."""
        c = self.columns
        passed = select(c.key).where(c.delete_time < self.moment(now)).limit(most).with_for_update(skip_locked=True)
        return connection.execute(delete(self.contract.table).where(c.key.in_(passed))).rowcount

    def moment(self, now: datetime) -> datetime:
        """A moment as the columns of this class hold it."""
        return timestamp_for(self.contract.execute_earliest.column, self.dialect, now)

    def _attempted(self) -> Update:
        """An update of tickets that counts one more attempt."""
        attempts = self.contract.attempts
        statement = update(self.contract.table)
        return statement if attempts is None else statement.values({attempts.column: one_more(attempts.column)})

    def _end_statement(self, error: bool, many: bool, still: Still) -> Update:
        c = self.contract
        values: dict[Any, Any] = {c.done.column: bindparam("ended"), c.delete_time.column: bindparam("until")}
        if error:
            values[c.error.column] = bindparam("why")
        return self._attempted().where(self._is_among(many), *self._is_still(still)).values(values)

    def _is_still(self, still: Still) -> Sequence[ColumnElement[bool]]:
        c = self.columns
        match still:
            case "whatever":
                return []
            case "due":
                return [c.pending, self._is_due("at")]
            case "in place":
                its: ColumnElement[int] = bindparam("its_priority")
                return [c.pending, self._is_due("at"), c.lane == bindparam("its_lane"), c.priority == its]

    def _is_due(self, now: str) -> ColumnElement[bool]:
        c = self.columns
        return c.is_due_at(bindparam(now, type_=c.earliest.type))

    def _is_among(self, many: bool) -> ColumnElement[bool]:
        key = self.columns.key
        if not many:
            return key == bindparam("which", type_=key.type)  # a single one costs less than a list of one
        if self.dialect == "postgresql":  # an array, so that the text is the same for any number
            return key == any_(bindparam("which", type_=ARRAY(key.type)))
        return key.in_(bindparam("which", expanding=True))

    def _select(self) -> Select[Any]:
        c = self.columns
        return select(
            c.key,
            c.work,
            c.root_id,
            c.keep_minutes,
            c.attempts,
            c.created,
            c.own_lane,
            c.earliest_read,
            c.created_at,
            c.priority,
            c.trace_parent,
            c.not_after,
            c.odd_earliest,
        )

    def _waiting(self, c: TicketColumns) -> ColumnElement[bool]:
        """Return the condition of tickets that wait for a run."""
        return c.pending & ~has_begun(c.key)

    def _guarded(self, statement: Select[Any], mode: Mode) -> Select[Any]:
        """A statement that finds rows only if the lane is free, and locks both. Both are read as of the lock, not of
        the statement's beginning, so nothing that another server has just committed is missed."""
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
                pass  # neither a lane nor a rate
        held = free.cte("held")
        return statement.where(exists(select(held.c.name))).with_for_update(of=self.contract.table, skip_locked=True)

    def _first_priority(self) -> ColumnElement[int]:
        first = TicketColumns(self.contract, self.contract.table.alias("first"), self.dialect)
        return (
            select(first.priority)
            .where(self._waiting(first), first.lane == bindparam("lane"))
            .order_by(*first.order_in_lane)
            .limit(1)
            .scalar_subquery()
        )

    def _due_statement(self, mode: Mode, priority: ColumnElement[int]) -> Select[Any]:
        return self._guarded(self._due_rows(priority), mode)

    def _due_rows(self, priority: ColumnElement[int]) -> Select[Any]:
        c = self.columns
        return (
            self._select()
            .where(self._waiting(c))
            .where(c.lane == bindparam("lane"), c.priority == priority)
            .where(c.moment <= bindparam("bound", type_=c.earliest.type))
            .where(self._is_due("now"))
            .order_by(c.moment, c.key)
            .limit(bindparam("most"))
        )

    def _one_statement(self, mode: Mode) -> Select[Any]:
        c = self.columns
        return self._guarded(self._select().where(c.key == bindparam("key"), c.pending, ~has_begun(c.key)), mode)

    def _groups_statement(self) -> Select[Any]:
        """A loose index scan: from the first ticket of each group straight to the first of the next."""
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
        found = TicketColumns(self.contract, table.alias("found"), self.dialect)
        next_key = func.coalesce(in_same_lane, in_next_lane)
        step = select(found.key, found.lane, found.priority, found.earliest_read).select_from(
            group.join(found.source, found.key == next_key)
        )
        return select(group.union_all(step))


class TicketsBut(Tickets):
    """The same without tickets of some works, by the names that stand in their rows, and without some by their keys."""

    def __init__(self, contract: Contract, dialect: str, works: Collection[str], keys: Collection[Any] = ()) -> None:
        super().__init__(contract, dialect)
        self._works, self._keys = sorted(works), keys

    def _waiting(self, c: TicketColumns) -> ColumnElement[bool]:
        waiting = super()._waiting(c)
        if self._works:
            waiting &= c.work.is_(None) | c.work.not_in(self._works)
        return waiting & c.key.not_in(self._keys) if self._keys else waiting


@lru_cache(maxsize=64)
def tickets_of(contract: Contract, dialect: str) -> Tickets:
    """The queries of a ticket class, the same each time: building them takes longer than sending them."""
    return Tickets(contract, dialect)
