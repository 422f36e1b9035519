"""The table of tickets: its columns, and the conditions that several statements share."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    UnaryExpression,
    Update,
    all_,
    any_,
    bindparam,
    cast,
    literal,
    select,
    update,
)
from sqlalchemy.sql.operators import custom_op

from afterwork.model.contract import Contract, timestamp_for
from afterwork.store.readable_values import UndecodableText
from afterwork.store.tickets.columns import TicketColumns, one_more

Still = Literal["whatever", "due", "in place"]
"""The condition on named tickets: none, still due, or still due at the same position of their lane."""


class TicketTable:
    """The table of one ticket class on one kind of database ("sqlite" or "postgresql")."""

    def __init__(self, contract: Contract, dialect: str) -> None:
        self.contract = contract
        self.dialect = dialect
        self.columns = TicketColumns(contract, contract.table, dialect)

    def moment(self, now: datetime) -> datetime:
        """Return a timestamp as the columns of this class hold it."""
        return timestamp_for(self.contract.execute_earliest.column, self.dialect, now)

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
            c.arguments,
            c.not_after,
            c.odd_earliest,
        )

    def _has_key(self, key: Any) -> ColumnElement[bool]:
        return self.columns.key == (cast(literal(key.raw), Text) if isinstance(key, UndecodableText) else key)

    # Parameters are named as no column of a ticket class is: SQLAlchemy takes one with a column's name for its value.

    def _is_among(self, many: bool) -> ColumnElement[bool]:
        if many:
            return self._has_key_among(self.columns)
        key = self.columns.key
        return key == bindparam("afterwork_which", type_=key.type)  # a single one costs less than a list of one

    def _has_key_among(self, c: TicketColumns) -> ColumnElement[bool]:
        if self.dialect == "postgresql":  # an array, so that the text is the same for any number
            return c.key == any_(bindparam("afterwork_which", type_=ARRAY(c.key.type)))
        return c.key.in_(bindparam("afterwork_which", expanding=True))

    def _has_other_key(self, c: TicketColumns) -> ColumnElement[bool]:
        if self.dialect == "postgresql":
            return c.key != all_(bindparam("afterwork_which", type_=ARRAY(c.key.type)))
        return c.key.not_in(bindparam("afterwork_which", expanding=True))

    def _is_still(self, still: Still) -> Sequence[ColumnElement[bool]]:
        c = self.columns
        match still:
            case "whatever":
                return []
            case "due":
                return [c.pending, self._is_due("afterwork_at")]
            case "in place":
                lane, priority = self._beyond_indexes(c.lane), self._beyond_indexes(c.priority)
                its: ColumnElement[int] = bindparam("afterwork_its_priority")
                return [
                    c.pending,
                    self._is_due("afterwork_at"),
                    lane == bindparam("afterwork_its_lane"),
                    priority == its,
                ]

    def _beyond_indexes(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a column for statements on tickets that are found by their keys.

        SQLite would rather look through the index of the lane, and so at all that wait there."""
        if self.dialect != "sqlite":
            return column
        return UnaryExpression(column, operator=custom_op("+"), type_=column.type)

    def _is_due(self, now: str) -> ColumnElement[bool]:
        c = self.columns
        return c.is_due_at(bindparam(now, type_=c.earliest.type))

    def _attempted(self) -> Update:
        """Return an update of tickets that counts one more attempt."""
        attempts = self.contract.attempts
        statement = update(self.contract.table)
        return statement if attempts is None else statement.values({attempts.column: one_more(attempts.column)})
