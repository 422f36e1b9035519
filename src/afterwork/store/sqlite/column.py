"""SQLite's columns, by the affinities of their declared types: their text forms, and what they make of a value."""

import math
import re
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Numeric, Table, and_, case, cast, func, text
from sqlalchemy.types import REAL, TEXT

from afterwork.store.column_type import ColumnType, KeptValue, UncertainValue
from afterwork.store.journal.values import quoted

_TYPE = text("SELECT type FROM pragma_table_info(:table, :schema) WHERE lower(name) = lower(:column)")
_COLUMNS = text("SELECT name, type FROM pragma_table_xinfo(:table) WHERE hidden <> 1 ORDER BY cid")
_SOURCE = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table COLLATE NOCASE")
_COLLATION = re.compile(r"\bCOLLATE\s+[\"'`\[]?(?!BINARY\b|NOCASE\b|RTRIM\b)\w", re.IGNORECASE)

AFFINITIES = {
    "INT": "integer", "CHAR": "text", "CLOB": "text", "TEXT": "text", "BLOB": "blob", "REAL": "real", "FLOA": "real",
    "DOUB": "real", "BOOL": "boolean",
}  # fmt: skip
"""Affinities by parts of declared types, in SQLite's order, and booleans, which are numeric to SQLite. A type without
any of these is numeric."""

LARGEST = 1 << 53
"""The whole number up to which whole and floating-point numbers are the same."""


class SQLiteColumns:
    def type_of(self, connection: Connection, table: Table, column: str) -> ColumnType | None:
        names = {"table": table.name, "schema": table.schema or "main", "column": column}
        declared = connection.execute(_TYPE, names).scalar()
        if declared is None:
            return None
        return ColumnType(declared, affinity(declared))

    def sent(self, bound: Any) -> Any:
        return bytes(bound) if isinstance(bound, memoryview | bytearray) else bound

    def kept(self, kind: ColumnType, sent: Any, current: Any) -> KeptValue | UncertainValue:
        if sent is None or type(sent) is bytes:
            return KeptValue(sent)
        if type(sent) is float and math.isnan(sent):
            return KeptValue(None)
        return KeptValue(sent) if kind.base == "blob" and type(sent) in (int, float, str) else _kept(kind, sent)

    def as_kept(self, kind: ColumnType, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a column's conversion as SQL. A cast would differ: it makes 0 of 'abc'."""
        match kind.base:
            case "blob":
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


def affinity(declared: str) -> str:
    """Return the affinity of a column with a declared type."""
    words = declared.upper()
    return next((name for word, name in AFFINITIES.items() if word in words), "numeric" if words else "blob")


def column_forms(connection: Connection, table: Table) -> dict[str, str]:
    """Return the names of the forms of the columns of a table."""
    affinities = {row.name: affinity(row.type) for row in connection.execute(_COLUMNS, {"table": table.name})}
    with_texts = [name for name, known in affinities.items() if known not in {"integer", "real"}]
    return affinities | dict.fromkeys(_collated(connection, table, with_texts), "collated")


def _collated(connection: Connection, table: Table, names: list[str]) -> list[str]:
    """Return the columns in which different texts can be equal. SQLite offers no better way to find out than to
    compare: the columns of a union take after those of its first part."""
    source = connection.execute(_SOURCE, {"table": table.name}).scalar() or ""
    if _COLLATION.search(source):
        return names  # a collation of the application's own
    if "COLLATE" not in source.upper() or not names:
        return []
    columns = ", ".join(f"{quoted(name)} AS c{place}" for place, name in enumerate(names))
    letters = ", ".join("'a'" for _ in names)
    equal = ", ".join(f"c{place} = 'A' OR c{place} = 'a '" for place in range(len(names)))
    row = connection.exec_driver_sql(
        f"SELECT {equal} FROM (SELECT {columns} FROM {quoted(table.name)} WHERE 0 UNION ALL SELECT {letters})"
    ).one()
    return [name for name, is_collated in zip(names, row, strict=True) if is_collated]


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
