"""The conversions that a PostgreSQL column applies to a stored value."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Binary
from psycopg.types.json import Json, Jsonb
from sqlalchemy import ColumnElement, Connection, Table, cast, text

from afterwork.store.column_type import ColumnType, KeptValue, Named, RefusedValue, UncertainValue

_TYPE = text("""
WITH RECURSIVE kind (name, oid, modifier) AS (
    SELECT format_type(atttypid, CASE WHEN atttypid <> ALL (CAST(:cut AS regtype[])) THEN atttypmod END),
        atttypid, atttypmod
    FROM pg_attribute
    WHERE attrelid = to_regclass(:table) AND attname = :column AND NOT attisdropped
    UNION ALL
    SELECT name, typbasetype, typtypmod FROM kind JOIN pg_type t ON t.oid = kind.oid WHERE typtype = 'd'
)
SELECT name, typname, modifier, t.oid, typtype, typnamespace = 'pg_catalog'::regnamespace AS is_builtin
FROM kind JOIN pg_type t ON t.oid = kind.oid WHERE typtype <> 'd'
""")
"""Types that a cast would truncate, though the column does not, are cast without their length."""

CUT = ["varchar", "_varchar", "varbit", "_varbit"]

EXACT: dict[str, type] = {
    "int2": int, "int4": int, "int8": int, "bool": bool, "text": str, "uuid": UUID, "date": date, "bytea": bytes,
    "float8": float, "enum": str,
}  # fmt: skip
"""Types that keep values of these classes unchanged, or refuse them."""

FITS_ALL = 6
"""The fractional digits of a second in a Python timestamp."""


ALL_FIELDS = 0x7FFF
"""The modifier bits of an interval that has all its fields."""


@dataclass(frozen=True)
class Document:
    """A value that was sent as JSON, as it would be read back if PostgreSQL kept its text."""

    value: Any


@dataclass(frozen=True)
class PostgreSQLColumns:
    dialect: Any

    def type_of(self, connection: Connection, table: Table, column: str) -> ColumnType | None:
        quoted = connection.dialect.identifier_preparer.format_table(table)
        row = connection.execute(_TYPE, {"table": quoted, "column": column, "cut": CUT}).one_or_none()
        if row is None:
            return None
        base = "enum" if row.typtype == "e" else row.typname if row.is_builtin else ""
        return ColumnType(row.name, base, _size(base.lstrip("_"), row.modifier), row.oid)

    def sent(self, bound: Any) -> Any:
        match bound:
            case Json() | Jsonb():
                dumps = bound.dumps or self.dialect._json_serializer or json.dumps
                loads = self.dialect._json_deserializer or json.loads
                return Document(loads(dumps(bound.obj)))
            case Binary():
                return bytes(bound.obj)
            case _:
                return bound

    def kept(self, kind: ColumnType, sent: Any, current: Any) -> KeptValue | RefusedValue | UncertainValue:
        if sent is None or type(sent) is EXACT.get(kind.base):
            return KeptValue(sent)
        return RefusedValue() if _has_other_length(kind, sent) else _kept(kind, sent, current)

    def as_kept(self, kind: ColumnType, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(value, Named(kind.name))


def _size(base: str, modifier: int) -> int | None:
    if modifier < 0:
        return None
    match base:
        case "varchar" | "bpchar":
            return modifier - 4
        case "numeric":
            scale = (modifier - 4) & 0x7FF
            return scale - 0x800 if scale & 0x400 else scale
        case "interval":
            # Left-out fields are cut off, as fractions of a second are.
            return modifier & 0xFFFF if modifier >> 16 == ALL_FIELDS else 0
        case _:
            return modifier


def _kept(kind: ColumnType, bound: Any, current: Any) -> KeptValue | UncertainValue:
    match kind.base, bound:
        case ("json", Document(value)) | ("jsonb", Document(value)):
            # In jsonb, only the order of keys and the spelling of numbers may change.
            is_kept = kind.base == "json" or not (isinstance(current, Document) and _is_like(current.value, value))
            return KeptValue(value) if is_kept else UncertainValue()
        case "varchar" | "bpchar", str() if type(bound) is str:
            return KeptValue(_in_length(kind, bound))
        case "numeric", Decimal() if _has_digits(bound, kind.size):
            return KeptValue(bound)
        case "interval", timedelta() if type(bound) is timedelta and kind.size in (None, FITS_ALL, 0xFFFF):
            return KeptValue(bound)
        case ("timestamp" | "timestamptz") as base, datetime() if kind.size in (None, FITS_ALL):
            return _moment(base, bound, current)
        case _:
            return UncertainValue()


def _is_like(value: Any, other_value: Any) -> bool:
    """Return whether two documents may be the same in jsonb, where 1e300 is written in full."""
    match value, other_value:
        case (int() | float(), int() | float()):
            return value == other_value or (
                isinstance(value, float) != isinstance(other_value, float) and _in_full(value) == _in_full(other_value)
            )
        case (list(), list()):
            return len(value) == len(other_value) and all(map(_is_like, value, other_value))
        case (dict(), dict()):
            return value.keys() == other_value.keys() and all(_is_like(value[key], other_value[key]) for key in value)
        case _:
            return bool(value == other_value)


def _in_full(number: int | float) -> Decimal:
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def _in_length(kind: ColumnType, bound: str) -> str:
    """Return a text with trailing blanks cut and added as the column does. A longer text is refused."""
    if kind.size is None or len(bound.rstrip(" ")) > kind.size:
        return bound
    return bound.rstrip(" ").ljust(kind.size) if kind.base == "bpchar" else bound[: kind.size]


def _has_digits(bound: Decimal, scale: int | None) -> bool:
    """Return whether a number has exactly the digits that its column keeps; any without a scale."""
    exponent = bound.as_tuple().exponent
    if not isinstance(exponent, int) or (bound.is_zero() and bound.is_signed()):
        return False
    return exponent <= 0 if scale is None else exponent == -scale


def _moment(base: str, bound: datetime, current: Any) -> KeptValue | UncertainValue:
    """Return the stored timestamp, in the connection's time zone."""
    if type(bound) is not datetime or (bound.tzinfo is None) != (base == "timestamp"):
        return UncertainValue()
    if base == "timestamptz" and isinstance(current, datetime) and current.tzinfo is not None:
        return KeptValue(bound.astimezone(current.tzinfo))
    return KeptValue(bound)


def _has_other_length(kind: ColumnType, bound: Any) -> bool:
    """Return whether a column of fixed-length texts, or lists of them, refuses a value that a cast would cut."""
    match kind.base.lstrip("_"), kind.size:
        case "bpchar", int(most):
            return any(len(element.rstrip(" ")) > most for element in _texts(bound))
        case "bit", int(length):
            return any(len(element) != length for element in _texts(bound))
        case _:
            return False


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for element in value:
            yield from _texts(element)
