"""The statements on the ticket table. Each is built once; none costs more because many tickets have ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    FromClause,
    Index,
    MetaData,
    Select,
    Text,
    Update,
    any_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal_column,
    null,
    select,
    type_coerce,
    update,
)

from afterwork.model.columns import has_zone
from afterwork.model.contract import Attribute, Contract, moment_for
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.model.unique import has_begun
from afterwork.store import tables
from afterwork.store.direct import Direct

NO_PRIORITY = 2147483647

CLOCK_SLACK = timedelta(minutes=1)
"""How far the clocks of applications may be ahead of the server's without delaying tickets that ask for no moment."""

PRUNED_AT_ONCE = 1000


@dataclass(frozen=True)
class Group:
    """The pending tickets of one lane and priority: the first one's ExecuteEarliest, None if it waits for no moment."""

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
    trace_parent: str | None

    @property
    def due(self) -> datetime | None:
        """From when on it could have been run."""
        return max(filter(None, map(aware, (self.execute_earliest, self.created_at))), default=None)


@dataclass(frozen=True)
class Ended:
    """How a ticket's row is left: `error` is None if it ended well."""

    row: TicketRow
    keep_minutes: int
    error: str | None


class Columns:
    """The columns of a ticket table, or of an alias of it, and what is calculated from them."""

    def __init__(self, contract: Contract, source: FromClause, dialect: str) -> None:
        def of(attribute: Attribute) -> ColumnElement[Any]:
            return source.c[attribute.column.key]

        self.source = source
        self.key = of(contract.key)
        self.work = of(contract.view_model)
        self.root_id = of(contract.root_id)
        self.keep_minutes = of(contract.keep_receipt_minutes)
        self.delete_time = of(contract.delete_time)
        self.earliest = of(contract.execute_earliest)
        self.done = of(contract.done)
        self.error = of(contract.error)
        self.pending = self.done.is_(None) & self.error.is_(None)
        self.failed = self.error.is_not(None)
        self.attempts = of(contract.attempts) if contract.attempts else literal_column("0")
        # The planner recognises an index on an expression only by the same literals, so none of these is a parameter.
        self.own_lane = of(contract.lane) if contract.lane else null()
        main = literal_column(f"'{MAIN}'", Text())
        none: ColumnElement[int] = literal_column(str(NO_PRIORITY))
        self.lane = func.coalesce(of(contract.lane), main) if contract.lane else main
        self.priority = func.coalesce(of(contract.priority), none) if contract.priority else none
        moments = [self.earliest, *([of(contract.created)] if contract.created and _orders(contract) else [])]
        self.moment = func.coalesce(*moments, _long_ago(contract, dialect))
        # On SQLite a moment is a text, which programs have written with a fraction of a second or without. Given back,
        # it finds its own place only if it stays a text.
        self.moment_as_stored = type_coerce(self.moment, Text) if dialect == "sqlite" else self.moment
        # What the class has no attribute for is the same for all; a constant can neither be indexed nor sorted by.
        self.order_in_lane = (*([self.priority] if contract.priority else []), self.moment, self.key)
        self.order = (*([self.lane] if contract.lane else []), *self.order_in_lane)
        self.created_at: ColumnElement[Any] = of(contract.created) if contract.created else null()
        self.trace_parent: ColumnElement[Any] = of(contract.trace_parent) if contract.trace_parent else null()
        self.created = _as_text(of(contract.created), dialect) if contract.created else null()
        self.own_priority = of(contract.priority) if contract.priority else null()


def _orders(contract: Contract) -> bool:
    """Whether the moment of creation is there and can be compared with ExecuteEarliest."""
    return contract.created is not None and has_zone(contract.created.column) == has_zone(
        contract.execute_earliest.column
    )


def _long_ago(contract: Contract, dialect: str) -> ColumnElement[Any]:
    kind = contract.execute_earliest.column.type
    if dialect == "sqlite":
        return literal_column("'1970-01-01 00:00:00.000000'", kind)
    zoned = has_zone(contract.execute_earliest.column)
    return literal_column("TIMESTAMPTZ '1970-01-01 00:00:00+00'" if zoned else "TIMESTAMP '1970-01-01 00:00:00'", kind)


def _as_text(moment: ColumnElement[Any], dialect: str) -> ColumnElement[str]:
    return cast(func.date_part("epoch", moment) if dialect == "postgresql" else moment, Text)


class Tickets:
    """The queries of one ticket class on one kind of database ("sqlite" or "postgresql")."""

    def __init__(self, contract: Contract, dialect: str) -> None:
        self.contract = contract
        self.dialect = dialect
        self.columns = Columns(contract, contract.table, dialect)

    # Built when first needed: whoever only looks at tickets needs none of them.

    @cached_property
    def _groups(self) -> Select[Any]:
        return self._groups_statement()

    @cached_property
    def _due(self) -> dict[bool, Direct]:
        asked: ColumnElement[int] = bindparam("priority")
        return {exclusive: Direct(self._due_statement(exclusive, asked)) for exclusive in (True, False)}

    @cached_property
    def _first(self) -> dict[bool, Direct]:
        first = self._first_priority()
        return {exclusive: Direct(self._due_statement(exclusive, first)) for exclusive in (True, False)}

    @cached_property
    def _one(self) -> dict[bool, Select[Any]]:
        return {exclusive: self._one_statement(exclusive) for exclusive in (True, False)}

    @cached_property
    def _end(self) -> dict[tuple[bool, bool], Direct]:
        both = (True, False)
        return {(error, many): Direct(self._end_statement(error, many)) for error in both for many in both}

    def groups(self, connection: Connection) -> list[Group]:
        """Every lane and priority with pending tickets, in the order in which they run. Touches one row for each."""
        return [
            Group(lane, priority, aware(earliest)) for _, lane, priority, earliest in connection.execute(self._groups)
        ]

    def claim_due(
        self, connection: Connection, lane: str, priority: int | None, now: datetime, most: int
    ) -> list[TicketRow]:
        """Lock and return the first due tickets of a lane and priority, if this transaction can have the lane; else
        none. Without a priority, that of the lane's first ticket is taken, whether it is due or not."""
        values = {
            "lane": lane,
            "now": self.moment(now),
            "bound": self.moment(now + CLOCK_SLACK),
            "most": most,
        }
        if priority is None:
            statement = self._first[lane != PARALLEL]
        else:
            statement, values["priority"] = self._due[lane != PARALLEL], priority
        return [TicketRow(*row) for row in statement.execute(connection, values)]

    def claim_one(self, connection: Connection, lane: str, key: Any) -> TicketRow | None:
        """Lock and return one pending ticket, if this transaction can have it and its lane; else None."""
        row = connection.execute(self._one[lane != PARALLEL], {"lane": lane, "key": key}).one_or_none()
        return None if row is None else TicketRow(*row)

    def row(self, connection: Connection, key: Any) -> TicketRow | None:
        """A pending ticket that this transaction's run holds already, or None if it is not there."""
        held = self._select().where(self.columns.key == key, self.columns.pending).with_for_update()
        row = connection.execute(held).one_or_none()
        return None if row is None else TicketRow(*row)

    def end(self, connection: Connection, ended: Sequence[Ended], now: datetime) -> None:
        """Write Done, DeleteTime, Error and Attempts. Tickets that end alike take one statement."""
        alike: dict[tuple[int, str | None], list[Any]] = {}
        for one in ended:
            alike.setdefault((one.keep_minutes, one.error), []).append(one.row.key)
        for (keep, error), keys in alike.items():
            many = len(keys) > 1
            values = {
                "ended": self.moment(now),
                "until": self.moment(now + timedelta(minutes=keep)),
                "which": keys if many else keys[0],
            } | ({} if error is None else {"why": error})
            self._end[error is not None, many].execute(connection, values)

    def try_again(self, connection: Connection, row: TicketRow, until: datetime) -> None:
        """Let a ticket have another attempt, not before a moment."""
        self._set_earliest(connection, self._attempted(), row, until)

    def put_off(self, connection: Connection, row: TicketRow, until: datetime) -> None:
        """Let a ticket wait until a moment, as if it had not been claimed."""
        self._set_earliest(connection, update(self.contract.table), row, until)

    def _set_earliest(self, connection: Connection, statement: Update, row: TicketRow, until: datetime) -> None:
        moment = {self.contract.execute_earliest.column: self.moment(until)}
        connection.execute(statement.where(self.columns.key == row.key).values(moment))

    def move(self, connection: Connection, keys: Sequence[Any], lane: str) -> None:
        """Put tickets into the lane that their work declares."""
        assert self.contract.lane is not None  # else all of them are in `main`
        column = self.contract.lane.column
        connection.execute(update(self.contract.table).where(self.columns.key.in_(keys)).values({column: lane}))

    def prune(self, connection: Connection, now: datetime) -> int:
        """Delete receipts whose DeleteTime has passed, some at a time. Returns how many; 0 says that none is left."""
        c = self.columns
        passed = (
            select(c.key)
            .where(c.delete_time < self.moment(now))
            .limit(PRUNED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        return connection.execute(delete(self.contract.table).where(c.key.in_(passed))).rowcount

    def moment(self, now: datetime) -> datetime:
        """A moment as the columns of this class hold it."""
        return moment_for(self.contract.execute_earliest.column, self.dialect, now)

    def _attempted(self) -> Update:
        """An update of tickets that counts one more attempt."""
        attempts = self.contract.attempts
        statement = update(self.contract.table)
        return statement if attempts is None else statement.values({attempts.column: attempts.column + 1})

    def _end_statement(self, error: bool, many: bool) -> Update:
        c = self.contract
        values: dict[Any, Any] = {c.done.column: bindparam("ended"), c.delete_time.column: bindparam("until")}
        if error:
            values[c.error.column] = bindparam("why")
        return self._attempted().where(self._is_among(many)).values(values)

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
            c.earliest,
            c.created_at,
            c.trace_parent,
        )

    def _guarded(self, statement: Select[Any], exclusive: bool) -> Select[Any]:
        """A statement that finds rows only if the lane is free, and locks both. Both are read as of the lock, not of
        the statement's beginning, so nothing that another server has just committed is missed."""
        lane = tables.lane
        free = select(lane.c.name).where(lane.c.name == bindparam("lane"), ~lane.c.paused)
        if exclusive:
            free = free.where(lane.c.lease.is_(None)).with_for_update(skip_locked=True)
        held = free.cte("held")
        return statement.where(exists(select(held.c.name))).with_for_update(of=self.contract.table, skip_locked=True)

    def _first_priority(self) -> ColumnElement[int]:
        first = Columns(self.contract, self.contract.table.alias("first"), self.dialect)
        return (
            select(first.priority)
            .where(first.pending, ~has_begun(first.key), first.lane == bindparam("lane"))
            .order_by(*first.order_in_lane)
            .limit(1)
            .scalar_subquery()
        )

    def _due_statement(self, exclusive: bool, priority: ColumnElement[int]) -> Select[Any]:
        c = self.columns
        due = (
            self._select()
            .where(c.pending, ~has_begun(c.key))
            .where(c.lane == bindparam("lane"), c.priority == priority)
            .where(c.moment <= bindparam("bound", type_=c.earliest.type))
            .where(c.earliest.is_(None) | (c.earliest <= bindparam("now", type_=c.earliest.type)))
            .order_by(c.moment, c.key)
            .limit(bindparam("most"))
        )
        return self._guarded(due, exclusive)

    def _one_statement(self, exclusive: bool) -> Select[Any]:
        c = self.columns
        return self._guarded(self._select().where(c.key == bindparam("key"), c.pending, ~has_begun(c.key)), exclusive)

    def _groups_statement(self) -> Select[Any]:
        """A loose index scan: from the first ticket of each group straight to the first of the next."""
        table = self.contract.table

        def waiting(c: Columns) -> ColumnElement[bool]:
            return c.pending & ~has_begun(c.key)

        first = Columns(self.contract, table.alias("first"), self.dialect)
        head = (
            select(
                first.key.label("key"),
                first.lane.label("lane"),
                first.priority.label("priority"),
                first.earliest.label("earliest"),
            )
            .where(waiting(first))
            .order_by(*first.order)
            .limit(1)
            .subquery()
        )
        group = select(head).cte("ticket_group", recursive=True)
        same = Columns(self.contract, table.alias("same"), self.dialect)
        in_same_lane = (
            select(same.key)
            .where(waiting(same), same.lane == group.c.lane, same.priority > group.c.priority)
            .order_by(*same.order_in_lane)
            .limit(1)
            .scalar_subquery()
        )
        other = Columns(self.contract, table.alias("other"), self.dialect)
        in_next_lane = (
            select(other.key)
            .where(waiting(other), other.lane > group.c.lane)
            .order_by(*other.order)
            .limit(1)
            .scalar_subquery()
        )
        found = Columns(self.contract, table.alias("found"), self.dialect)
        next_key = func.coalesce(in_same_lane, in_next_lane)
        step = select(found.key, found.lane, found.priority, found.earliest).select_from(
            group.join(found.source, found.key == next_key)
        )
        return select(group.union_all(step))


def indexes(contract: Contract, dialect: str) -> Sequence[Index]:
    """The indexes that the statements rely on, on the application's ticket table."""
    # On a copy, so that the application's own metadata, and what Alembic compares with it, stay as they are.
    table = contract.table.to_metadata(MetaData())
    c = Columns(contract, table, dialect)
    wanted = {
        "pending": (c.order, c.pending),
        "root": ((c.root_id, c.work), c.pending),
        "ended": ((c.delete_time,), c.delete_time.is_not(None)),
        "failed": ((c.key,), c.failed),
    }
    return [
        Index(
            f"afterwork_{table.name.removeprefix('afterwork_')}_{name}",
            *expressions,
            postgresql_where=where,
            sqlite_where=where,
        )
        for name, (expressions, where) in wanted.items()
    ]


def aware(moment: datetime | None) -> datetime | None:
    """A moment as a ticket's column gave it; naive columns hold UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
