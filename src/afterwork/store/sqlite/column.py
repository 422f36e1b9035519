"""The conversions that a SQLite column applies to a stored value, by its declared type's affinity."""

import math
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Numeric, Table, and_, case, cast, func, text
from sqlalchemy.types import REAL, TEXT

from afterwork.store.column_type import ColumnType, KeptValue, UncertainValue

_TYPE = text("SELECT type FROM pragma_table_info(:table, :schema) WHERE lower(name) = lower(:column)")

AFFINITIES = {
    "INT": "integer", "CHAR": "text", "CLOB": "text", "TEXT": "text", "BLOB": "none", "REAL": "real", "FLOA": "real",
    "DOUB": "real",
}  # fmt: skip
"""Affinities by parts of declared types, in SQLite's order. A type without any of these is numeric."""

LARGEST = 1 << 53
"""The whole number up to which whole and floating-point numbers are the same."""


class SQLiteColumns:
    """The conversions that SQLite columns apply to values."""

    def type_of(self, connection: Connection, table: Table, column: str) -> ColumnType | None:
        names = {"table": table.name, "schema": table.schema or "main", "column": column}
        declared = connection.execute(_TYPE, names).scalar()
        if declared is None:
            return None
        affinities = (affinity for part, affinity in AFFINITIES.items() if part in declared.upper())
        return ColumnType(declared, next(affinities, "numeric") if declared else "none")

    def sent(self, bound: Any) -> Any:
        return bytes(bound) if isinstance(bound, memoryview | bytearray) else bound

    def kept(self, kind: ColumnType, sent: Any, current: Any) -> KeptValue | UncertainValue:
        if sent is None or type(sent) is bytes:
            return KeptValue(sent)
        if type(sent) is float and math.isnan(sent):
            return KeptValue(None)
        return KeptValue(sent) if kind.base == "none" and type(sent) in (int, float, str) else _kept(kind, sent)

    def as_kept(self, kind: ColumnType, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a column's conversion as SQL. A cast would differ: it makes 0 of 'abc'."""
        match kind.base:
            case "none":
                return value
            case "text":
                return case((func.typeof(value).in_(("integer", "real")), cast(value, TEXT)), else_=value)
            case "real":
                number = _number(value)
                return case((func.typeof(number).in_(("integer", "real")), cast(number, REAL) + 0.0), else_=number)
            case _:
                number = _number(value)
                whole = cast(number, Integer)
                is_whole = and_(func.typeof(number) == "real", func.abs(number) < 1 << 62, whole == number)
                return case((is_whole, whole), else_=number)


def _number(value: ColumnElement[Any]) -> ColumnElement[Any]:
    number = cast(value, Numeric)
    return case((and_(func.typeof(value) == "text", number == value), number), else_=value)


def _kept(kind: ColumnType, bound: Any) -> KeptValue | UncertainValue:
    is_text = kind.base == "text"
    match bound:
        case str() if type(bound) is str and (is_text or not _may_be_number(bound)):
            return KeptValue(bound)
        case int() if type(bound) is int and not is_text and abs(bound) < LARGEST:
            return KeptValue(float(bound) if kind.base == "real" else bound)
        case float() if type(bound) is float and not is_text and abs(bound) < LARGEST:
            return KeptValue(int(bound) if kind.base != "real" and bound.is_integer() else bound + 0.0)
        case _:
            return UncertainValue()


def _may_be_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
