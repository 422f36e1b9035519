"""Touches on SQLite have values as they are, but not the affinities of their columns, by which SQLite compares."""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Dialect
from sqlalchemy.sql.elements import BinaryExpression, False_, Null, True_
from sqlalchemy.types import TypeEngine

from afterwork.store.journal.touch_values import ComparedColumn, TouchValues

NUMBERS = {"integer", "boolean", "numeric", "real"}
HELD = {*NUMBERS, "text", "blob"}
"""The forms of columns whose values are compared as they are."""


class SQLiteTouchValues(TouchValues):
    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def can_hold(self, column: ComparedColumn) -> bool:
        return column.form in HELD

    def type_of(self, column: ComparedColumn) -> TypeEngine[Any]:
        return column.type

    def read(self, value: ColumnElement[Any], column: ComparedColumn) -> ColumnElement[Any]:
        return value

    def comparison(
        self, comparison: BinaryExpression[bool], column: ComparedColumn, other: Any
    ) -> ColumnElement[bool] | None:
        return comparison if column.form == "blob" or self._is_alike(column.form, other) else None

    def _is_alike(self, form: str, other: Any) -> bool:
        """Return whether a column's affinity leaves the other side of a comparison as it is."""
        match other:
            case ComparedColumn():
                return other.form == form or {other.form, form} <= NUMBERS
            case BindParameter():
                value: Any = other.effective_value
                values = value if other.expanding else [value]
                return all(_is_kept(form, self._sent(value, other.type)) for value in values)
            case True_() | False_():
                return form in NUMBERS
            case _:
                return isinstance(other, Null)

    def _sent(self, value: Any, kind: TypeEngine[Any]) -> Any:
        process = kind.dialect_impl(self._dialect).bind_processor(self._dialect)
        return value if process is None else process(value)


def _is_kept(form: str, value: Any) -> bool:
    """Return whether a column's affinity leaves a value as it is."""
    match value:
        case None:
            return True
        case str():
            return form == "text" or not _is_like_a_number(value)
        case bool() | int() | float():
            return form in NUMBERS
        case _:
            return False


def _is_like_a_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
