"""The columns of a ticket table, what is calculated from them, and the indexes on these."""

from collections.abc import Sequence
from datetime import UTC, datetime
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
    func,
    literal_column,
    null,
    or_,
    type_coerce,
)

from afterwork.model.columns import has_zone
from afterwork.model.contract import Attribute, Contract
from afterwork.model.lane import MAIN

NO_PRIORITY = 2147483647


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
        self.not_after: ColumnElement[Any] = of(contract.not_after) if contract.not_after else null()
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


def most_attempts(column: ColumnElement[int]) -> int:
    """The highest number that a column of attempts holds, as the model declares it."""
    match column.type:
        case SmallInteger():
            return 2**15 - 1
        case BigInteger():
            return 2**63 - 1
        case _:
            return 2**31 - 1


def one_more(column: ColumnElement[int]) -> ColumnElement[int]:
    """One attempt more than a column says: null and what is below 0 are none, and its highest number stays."""
    return case(
        (or_(column.is_(None), column < 0), literal_column("1")), (column < most_attempts(column), column + 1),
        else_=column,
    )  # fmt: skip


def aware(moment: datetime | None) -> datetime | None:
    """A moment as a ticket's column gave it; naive columns hold UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
