"""Parts of keys as texts that can be read back."""

import datetime as dt
import enum
import json
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, column
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

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
LARGEST = 2**63

SPAN = re.compile(r"P(-?[0-9]+)DT([0-9]+)\.([0-9]{6})S", re.ASCII)
RANGE = re.compile(r"([\[(])([^,]*),([^,]*)([\])])")

ANY_DATABASE = DefaultDialect()

Reader = Callable[[str], Any]


def key_part(value: Any) -> str:
    """A part of a key as a text."""
    match value:
        case enum.Enum():
            return value.name
        case bytes():
            return value.hex()
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case list() | tuple():
            return json.dumps([None if one is None else key_part(one) for one in value], ensure_ascii=False)
        case dt.timedelta() | Range():
            return _span_text(value) if isinstance(value, dt.timedelta) else _range_text(value)
        case _:
            return str(value)


def _span_text(span: dt.timedelta) -> str:
    return f"P{span.days}DT{span.seconds}.{span.microseconds:06}S"


def _range_text(value: Range[Any]) -> str:
    if value.is_empty:
        return "empty"
    lower, upper = ("" if bound is None else key_part(bound) for bound in (value.lower, value.upper))
    return f"{value.bounds[0]}{lower},{upper}{value.bounds[1]}"


def reader_of(column: ColumnElement[Any]) -> Reader:
    """What reads the parts of keys that `key_part` has written, for a column. It raises `ValueError`, `KeyError` or
    `InvalidOperation` for a text that is none."""
    match column.type:
        case INET():
            return lambda text: ip_interface(text) if "/" in text else ip_address(text)
        case CIDR():
            return ip_network
        case ARRAY() as kind:
            return _list_reader(kind)
        case kind if type(kind) in RANGES:
            return _range_reader(RANGES[type(kind)])
        case TypeDecorator() as kind:
            return _decorated_reader(kind, _plain_reader(column))
        case _:
            return _plain_reader(column)


def _plain_reader(column: ColumnElement[Any]) -> Reader:
    found = python_type(column) or str
    return found.__getitem__ if issubclass(found, enum.Enum) else READERS.get(found, str)


def _decorated_reader(kind: TypeDecorator[Any], read: Reader) -> Reader:
    """A decorated type has values of its own. It makes them of what it would write itself."""
    write, load = kind.bind_processor(ANY_DATABASE), kind.result_processor(ANY_DATABASE, None)

    def decorated(text: str) -> Any:
        value = read(text)
        try:
            bound = value if write is None else write(value)
            loaded = bound if load is None else load(bound)
        except Exception:  # whatever it raises
            return value
        return loaded if key_part(loaded) == text else value

    return decorated


def _list_reader(kind: ARRAY[Any]) -> Reader:
    read: Reader = reader_of(column("item", kind.item_type))

    def items(text: str) -> Any:
        found = [None if one is None else read(one) for one in json.loads(text)]
        return tuple(found) if kind.as_tuple else found

    return items


def _range_reader(read: Reader) -> Reader:
    def bounds(text: str) -> Any:
        if text == "empty":
            return Range(empty=True)
        found = RANGE.fullmatch(text)
        if found is None:
            raise ValueError(text)
        lower, upper = (read(bound) if bound else None for bound in found.group(2, 3))
        both: Any = found[1] + found[4]
        return Range(lower, upper, bounds=both)

    return bounds


def _whole_number(text: str) -> int:
    if not WHOLE_NUMBER.fullmatch(text) or not -LARGEST <= int(text) < LARGEST:
        raise ValueError(text)
    return int(text)


def _span(text: str) -> dt.timedelta:
    found = SPAN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    days, seconds, microseconds = map(int, found.groups())
    return dt.timedelta(days, seconds, microseconds)


READERS: Mapping[type, Reader] = {
    int: _whole_number,
    uuid.UUID: uuid.UUID,
    Decimal: Decimal,
    bytes: bytes.fromhex,
    dt.date: dt.date.fromisoformat,
    dt.datetime: dt.datetime.fromisoformat,
    dt.time: dt.time.fromisoformat,
    dt.timedelta: _span,
    bool: {"True": True, "False": False}.__getitem__,
    float: float,
}

RANGES: Mapping[type[TypeEngine[Any]], Reader] = {
    INT4RANGE: _whole_number,
    INT8RANGE: _whole_number,
    NUMRANGE: Decimal,
    DATERANGE: dt.date.fromisoformat,
    TSRANGE: dt.datetime.fromisoformat,
    TSTZRANGE: dt.datetime.fromisoformat,
}
