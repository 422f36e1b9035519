"""Keys as text, by which leases and people name them, and conditions on keys."""

import datetime as dt
import enum
import json
import re
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, and_, bindparam, cast, column, func, or_, tuple_
from sqlalchemy.dialects.postgresql import (
    CIDR,
    DATERANGE,
    INET,
    INT4RANGE,
    INT8RANGE,
    NUMRANGE,
    TSRANGE,
    TSTZRANGE,
    Range,
)
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.model.column_types import python_type

PrimaryKey = tuple[Any, ...]
"""A primary key, as the attributes have it."""

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
INT64_LIMIT = 2**63

DURATION = re.compile(r"P(-?[0-9]+)DT([0-9]+)\.([0-9]{6})S", re.ASCII)
RANGE = re.compile(r"([\[(])([^,]*),([^,]*)([\])])")

MAX_PLAIN_DIGITS = 100
"""Digits before or after the point of a decimal number up to which it is written without an exponent."""

ANY_DATABASE = DefaultDialect()

Decoder = Callable[[str], Any]


def encode_key_part(value: Any) -> str:
    """Return a value as text, the same for equal ones: numbers end without zeros, timestamps are in UTC."""
    match value:
        case enum.Enum():
            text = value.name
        case bytes():
            text = value.hex()
        case Decimal():
            text = _encode_decimal(value)
        case float() if value.is_integer():
            text = str(int(value))
        case dt.datetime() if value.tzinfo is not None:
            text = value.astimezone(dt.UTC).isoformat()
        case dt.datetime() | dt.date() | dt.time():
            text = value.isoformat()
        case list() | tuple():
            text = json.dumps([None if item is None else encode_key_part(item) for item in value], ensure_ascii=False)
        case dt.timedelta():
            text = _encode_duration(value)
        case Range():
            text = _encode_range(value)
        case _:
            text = str(value)
    return text


def _encode_decimal(number: Decimal) -> str:
    if not number.is_finite():
        return str(number)
    short = number.normalize(Context(len(number.as_tuple().digits), Emin=MIN_EMIN, Emax=MAX_EMAX))
    text = format(short, "f") if abs(short.adjusted()) < MAX_PLAIN_DIGITS else str(short)
    return "0" if text == "-0" else text


def _encode_duration(duration: dt.timedelta) -> str:
    return f"P{duration.days}DT{duration.seconds}.{duration.microseconds:06}S"


def _encode_range(value: Range[Any]) -> str:
    if value.is_empty:
        return "empty"
    lower, upper = ("" if bound is None else encode_key_part(bound) for bound in (value.lower, value.upper))
    return f"{value.bounds[0]}{lower},{upper}{value.bounds[1]}"


def key_part_decoder(column: ColumnElement[Any]) -> Decoder:
    """Return the inverse of `encode_key_part` for a column.

    It raises `ValueError`, `KeyError` or `InvalidOperation` for a text that no part of a key is written as.
    """
    match column.type:
        case INET():
            return lambda text: ip_interface(text) if "/" in text else ip_address(text)
        case CIDR():
            return ip_network
        case ARRAY() as kind:
            return _list_decoder(kind)
        case kind if type(kind) in RANGE_BOUND_DECODERS:
            return _range_decoder(RANGE_BOUND_DECODERS[type(kind)])
        case TypeDecorator() as kind:
            return _decorated_decoder(kind, _plain_decoder(column))
        case _:
            return _plain_decoder(column)


def _plain_decoder(column: ColumnElement[Any]) -> Decoder:
    value_class = python_type(column) or str
    return value_class.__getitem__ if issubclass(value_class, enum.Enum) else DECODERS.get(value_class, str)


def _decorated_decoder(kind: TypeDecorator[Any], read: Decoder) -> Decoder:
    """Decode to the values of a decorated type, whose class only the type itself knows.

    A text may be what the type makes of a stored value, or be of a value that it would write and load again.
    """
    write, load = kind.bind_processor(ANY_DATABASE), kind.result_processor(ANY_DATABASE, None)

    def stored(value: Any) -> Any:
        return value if write is None else write(value)

    def loaded(value: Any) -> Any:
        return value if load is None else load(value)

    ways: list[Decoder] = [lambda text: loaded(stored(read(text))), lambda text: loaded(read(text))]
    ways += [lambda text, of=of: loaded(stored(of(text))) for of in DECODERS.values()]  # type: ignore[misc]

    def decorated(text: str) -> Any:
        for way in ways:
            with suppress(Exception):  # of the application's own type
                value = way(text)
                if encode_key_part(value) == text:
                    return value
        return read(text)

    return decorated


def _list_decoder(kind: ARRAY[Any]) -> Decoder:
    read: Decoder = key_part_decoder(column("item", kind.item_type))

    def items(text: str) -> Any:
        values = [None if item is None else read(item) for item in json.loads(text)]
        return tuple(values) if kind.as_tuple else values

    return items


def _range_decoder(read: Decoder) -> Decoder:
    def bounds(text: str) -> Any:
        if text == "empty":
            return Range(empty=True)
        match = RANGE.fullmatch(text)
        if match is None:
            raise ValueError(text)
        lower, upper = (read(bound) if bound else None for bound in match.group(2, 3))
        brackets: Any = match[1] + match[4]
        return Range(lower, upper, bounds=brackets)

    return bounds


def _decode_int64(text: str) -> int:
    if not WHOLE_NUMBER.fullmatch(text) or not -INT64_LIMIT <= int(text) < INT64_LIMIT:
        raise ValueError(text)
    return int(text)


def _decode_duration(text: str) -> dt.timedelta:
    match = DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    days, seconds, microseconds = map(int, match.groups())
    return dt.timedelta(days, seconds, microseconds)


DECODERS: Mapping[type, Decoder] = {
    int: _decode_int64,
    uuid.UUID: uuid.UUID,
    Decimal: Decimal,
    bytes: bytes.fromhex,
    dt.date: dt.date.fromisoformat,
    dt.datetime: dt.datetime.fromisoformat,
    dt.time: dt.time.fromisoformat,
    dt.timedelta: _decode_duration,
    bool: {"True": True, "False": False}.__getitem__,
    float: float,
}

RANGE_BOUND_DECODERS: Mapping[type[TypeEngine[Any]], Decoder] = {
    INT4RANGE: _decode_int64,
    INT8RANGE: _decode_int64,
    NUMRANGE: Decimal,
    DATERANGE: dt.date.fromisoformat,
    TSRANGE: dt.datetime.fromisoformat,
    TSTZRANGE: dt.datetime.fromisoformat,
}


def key_text(key: object) -> str:
    return key.hex if isinstance(key, uuid.UUID) else str(key)


def parse_key(text: str, column: ColumnElement[Any]) -> Any:
    """Return the key of a column that a text names. Raises `ValueError` if it names none."""
    return DECODERS.get(python_type(column) or str, str)(text)


def key_as_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    """Return `key_text` of a column, in SQL. Databases differ in whether they keep the hyphens of a UUID."""
    text = cast(column, Text)
    return func.replace(text, "-", "") if python_type(column) is uuid.UUID else text


def is_one_of(columns: Sequence[ColumnElement[Any]], keys: Collection[tuple[Any, ...]]) -> ColumnElement[bool]:
    """Return the condition that a row has one of these keys in these columns."""
    if len(columns) == 1:
        # With the column's type, since values don't determine all types.
        values = [key[0] for key in keys]
        return columns[0].in_(bindparam(None, values, columns[0].type, unique=True, expanding=True))
    if any(isinstance(column.type, ARRAY) for column in columns):  # in tuples, types are those of the values
        return or_(*(and_(*map(_is, columns, key)) for key in keys))
    return tuple_(*columns).in_(list(keys))


def _is(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    return column == bindparam(None, value, column.type, unique=True)
