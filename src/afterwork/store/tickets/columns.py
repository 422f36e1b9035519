"""The columns of a ticket table, the conditions and expressions derived from them, and the indexes on these."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Index,
    MetaData,
    SmallInteger,
    Text,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    null,
    or_,
    type_coerce,
)

from afterwork.model.column_types import has_zone
from afterwork.model.contract import Contract, ContractAttribute
from afterwork.model.key import key_as_text
from afterwork.model.lane import MAIN
from afterwork.model.priority import LOWEST_PRIORITY
from afterwork.store import tables
from afterwork.store.readable_values import in_calendar, readable_timestamp


class TicketColumns:
    """The columns of a ticket table, or of an alias of it, and the expressions derived from them."""

    def __init__(self, contract: Contract, source: FromClause, dialect: str) -> None:
        def of(attribute: ContractAttribute) -> ColumnElement[Any]:
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
        # The planner matches an index on an expression only by the same literals, so none of these is a parameter.
        self.own_lane = of(contract.lane) if contract.lane else null()
        main = literal_column(f"'{MAIN}'", Text())
        none: ColumnElement[int] = literal_column(str(LOWEST_PRIORITY))
        self.lane = (
            func.coalesce(of(contract.lane), main) if contract.lane else _lane_of_work(self.work, contract, main)
        )
        self.priority = func.coalesce(of(contract.priority), none) if contract.priority else none
        created = of(contract.created) if contract.created is not None and _orders(contract) else None
        self.moment = _moment(contract, dialect, self.earliest, created)
        # As texts, timestamps are found again whatever the driver can read. On SQLite they are texts, which programs
        # have written with a fraction of a second or without.
        self.moment_as_stored = (type_coerce if dialect == "sqlite" else cast)(self.moment, Text)
        # An attribute that the class lacks is the same for all; a constant can neither be indexed nor sorted by.
        self.order_in_lane = (*([self.priority] if contract.priority else []), self.moment, self.key)
        self.order = (*([self.lane] if contract.lane or contract.lanes else []), *self.order_in_lane)
        self.earliest_read = readable_timestamp(self.earliest, dialect)
        self.moment_read = readable_timestamp(self.moment, dialect)
        self.created_at = readable_timestamp(of(contract.created), dialect) if contract.created else null()
        self.done_read, self.delete_time_read = (
            readable_timestamp(self.done, dialect),
            readable_timestamp(self.delete_time, dialect),
        )
        self.trace_parent: ColumnElement[Any] = of(contract.trace_parent) if contract.trace_parent else null()
        self.arguments: ColumnElement[Any] = (
            _json_text(of(contract.arguments), dialect) if contract.arguments else null()
        )
        self.result: ColumnElement[Any] = _json_text(of(contract.result), dialect) if contract.result else null()
        self.created = _as_text(of(contract.created), dialect) if contract.created else null()
        self.not_after = readable_timestamp(of(contract.not_after), dialect) if contract.not_after else null()
        # The content, if it is no timestamp.
        self.odd_earliest: ColumnElement[Any] = null()
        if dialect == "sqlite":
            odd = self.earliest.is_not(None) & ~in_calendar(self.earliest, dialect)
            self.odd_earliest = case((odd, cast(self.earliest, Text)))
        self.own_priority = of(contract.priority) if contract.priority else null()
        self._is_sqlite = dialect == "sqlite"

    def is_due_at(self, now: Any) -> ColumnElement[bool]:
        """Return the condition that a ticket may run now. An ExecuteEarliest that is no timestamp never delays it."""
        due = or_(self.earliest.is_(None), self.earliest <= now)
        return or_(due, self.odd_earliest.is_not(None)) if self._is_sqlite else due

    def compared(self, stored: Any) -> tuple[ColumnElement[Any], Any]:
        """Return the timestamps of tickets, and one that was read as `moment_as_stored`, in comparable forms."""
        if self._is_sqlite:
            return self.moment_as_stored, stored
        return self.moment, cast(literal(stored, Text), self.moment.type)


INDEX_NAME = r"afterwork_{}_(place(_[0-9a-f]{{8}})?|root|ended|failed|pending|order)"
"""The pattern of the names of indexes on a ticket table, whose name it takes. Older versions had some more."""


def former_indexes(contract: Contract) -> Sequence[str]:
    """Return the names of indexes that older versions created and nothing uses any more."""
    return [f"afterwork_{contract.table.name.removeprefix('afterwork_')}_{name}" for name in ("pending", "order")]


def _lane_of_work(work: ColumnElement[Any], contract: Contract, main: ColumnElement[str]) -> ColumnElement[str]:
    """Return the lane that a ticket's job declares."""
    if not contract.lanes:
        return main
    lanes = ((work.in_([*map(_literal, works)]), _literal(lane)) for lane, works in contract.lanes.items())
    return func.coalesce(case(*lanes), main)


def _literal(text: str) -> ColumnElement[str]:
    quoted = text.replace("'", "''")
    return literal_column(f"'{quoted}'", Text())


def _orders(contract: Contract) -> bool:
    """Return whether creation times exist and can be compared with ExecuteEarliest."""
    return contract.created is not None and has_zone(contract.created.column) == has_zone(
        contract.execute_earliest.column
    )


def _moment(
    contract: Contract, dialect: str, earliest: ColumnElement[Any], created: ColumnElement[Any] | None
) -> ColumnElement[Any]:
    """Return the timestamp by which tickets are ordered. An invalid one sorts first, and so ends soon."""
    moments = [] if created is None else [case((in_calendar(created, dialect), created))]
    long_ago = _long_ago(contract, dialect)
    otherwise = func.coalesce(*moments, long_ago) if moments else long_ago  # SQLite takes no coalesce of one
    if dialect != "sqlite":
        return func.coalesce(earliest, otherwise)
    nothing = literal_column("''", earliest.type)
    return case((earliest.is_(None), otherwise), (in_calendar(earliest, dialect), earliest), else_=nothing)


def _long_ago(contract: Contract, dialect: str) -> ColumnElement[Any]:
    kind = contract.execute_earliest.column.type
    if dialect == "sqlite":
        return literal_column("'1970-01-01 00:00:00.000000'", kind)
    zoned = has_zone(contract.execute_earliest.column)
    return literal_column("TIMESTAMPTZ '1970-01-01 00:00:00+00'" if zoned else "TIMESTAMP '1970-01-01 00:00:00'", kind)


def _as_text(moment: ColumnElement[Any], dialect: str) -> ColumnElement[str]:
    return cast(func.date_part("epoch", moment) if dialect == "postgresql" else moment, Text)


def _json_text(column: ColumnElement[Any], dialect: str) -> ColumnElement[str]:
    """Return a column of JSON as it is stored: one row that is none must not keep others from being read."""
    is_text = isinstance(column.type, Text) or dialect == "sqlite"
    return type_coerce(column, Text) if is_text else cast(column, Text)


def indexes(contract: Contract, dialect: str) -> Sequence[Index]:
    """Return the indexes that the statements rely on, on the application's ticket table."""
    # On a copy, so that the application's own metadata, and Alembic's comparison with it, stay as they are.
    table = contract.table.to_metadata(MetaData())
    c = TicketColumns(contract, table, dialect)
    # An index is valid for the jobs and lanes for which it was created.
    lanes = f"_{blake2b(repr(contract.lanes).encode(), digest_size=4).hexdigest()}" if contract.lanes else ""
    wanted = {
        f"place{lanes}": (c.order, c.pending),
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


def most_attempts(column: ColumnElement[int]) -> int:
    """Return the highest number that a column of attempts holds, as the model declares it."""
    match column.type:
        case SmallInteger():
            return 2**15 - 1
        case BigInteger():
            return 2**63 - 1
        case _:
            return 2**31 - 1


def one_more(column: ColumnElement[int]) -> ColumnElement[int]:
    """Return a column's number of attempts plus one: null and negative are none, and its highest number stays."""
    return case(
        (or_(column.is_(None), column < 0), literal_column("1")), (column < most_attempts(column), column + 1),
        else_=column,
    )  # fmt: skip


def aware(moment: datetime | None) -> datetime | None:
    """Return a timestamp of a ticket's column with its zone; naive columns hold UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def is_pending(contract: Contract) -> ColumnElement[bool]:
    """Return the condition that a ticket is pending: its Done and Error are null."""
    return contract.done.column.is_(None) & contract.error.column.is_(None)


def has_begun(key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a lease holds the ticket with this key."""
    return exists().where(tables.lease.c.ticket == key_as_text(key)).correlate_except(tables.lease)
