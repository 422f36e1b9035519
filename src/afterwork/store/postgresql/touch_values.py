"""Touches on PostgreSQL have all values as texts, by which they come back as they were."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, cast
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.types import BigInteger, Boolean, Date, DateTime, Enum, Numeric, Text, TypeEngine, Uuid

from afterwork.store.journal.touch_values import BY_ANY_COLLATION, ComparedColumn, TouchValues

TYPES: Mapping[str, TypeEngine[Any]] = {
    "integer": BigInteger(),
    "boolean": Boolean(),
    "text": Text(),
    "uuid": Uuid(),
    "numeric": Numeric(),
    "date": Date(),
    "timestamp": DateTime(),
    "timestamptz": DateTime(timezone=True),
}
"""The types of the values by the forms of their columns."""


class PostgreSQLTouchValues(TouchValues):
    def can_hold(self, column: ComparedColumn) -> bool:
        return column.form in TYPES

    def type_of(self, column: ComparedColumn) -> TypeEngine[Any]:
        return TYPES[column.form]

    def read(self, value: ColumnElement[Any], column: ComparedColumn) -> ColumnElement[Any]:
        return cast(value, self.type_of(column))

    def comparison(
        self, comparison: BinaryExpression[bool], column: ComparedColumn, other: Any
    ) -> ColumnElement[bool] | None:
        operator: Any = comparison.operator
        if column.form != "text":
            return comparison
        if isinstance(column.type, Enum):  # which is not compared with a text
            is_plain = operator in {operators.eq, operators.ne}
            return operator(cast(comparison.left, Text), cast(comparison.right, Text)) if is_plain else None
        return comparison if operator in BY_ANY_COLLATION else None
