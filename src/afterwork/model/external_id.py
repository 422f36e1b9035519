"""External ids: a text that names one object of the model, `Customer!42`.

The class, then each part of the primary key, parted by `!`. In a part, `%` and `!` are written `%25` and `%21`, and an
empty one is `%00`. Each object has exactly one external id, and only that one is read back.
"""

import datetime as dt
import enum
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import ColumnElement, inspect
from sqlalchemy.orm import InstanceState, Mapper

from afterwork.errors import MalformedExternalId, shown
from afterwork.model.columns import python_type

MOST = 1000
"""Characters that an external id can have. A key that needs more is no key to keep in a ticket."""

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
LARGEST = 2**63


@dataclass(frozen=True)
class ExternalId:
    """A class of the model and a primary key, as one value: `key` has the key's parts as Python values."""

    mapper: Mapper[Any]
    key: tuple[Any, ...]

    def __str__(self) -> str:
        return "!".join([self.mapper.class_.__name__, *map(_written, self.key)])


def external_id(obj: object) -> str:
    """The external id of a mapped object that has its key, for example `Customer!42`.

    Raises `MalformedExternalId` for an object that is not mapped or whose key is not known before it is flushed.
    """
    text = external_id_or_none(obj)
    if text is None:
        raise MalformedExternalId(
            f"{type(obj).__name__} has no primary key yet. Flush it first, or give it as root_object."
        )
    return text


def external_id_or_none(obj: object) -> str | None:
    """As `external_id`, but None while a part of the key is not known."""
    state = inspect(obj, raiseerr=False)
    if not isinstance(state, InstanceState):
        raise MalformedExternalId(f"{shown(obj)} is no mapped object, so it has no external id.")
    mapper: Mapper[Any] = state.mapper
    # From the attributes, not from the identity: inside a flush the identity is not there yet.
    key = tuple(mapper.primary_key_from_instance(obj))
    return None if None in key else str(ExternalId(mapper, key))


def parse(text: str | None, classes: Mapping[str, Mapper[Any]]) -> ExternalId:
    """Read an external id. Raises `MalformedExternalId`, saying which part is wrong."""
    if not text or len(text) > MOST or "\0" in text:
        raise MalformedExternalId(f"{shown(text)} is no external id. One looks like Customer!42.")
    name, *parts = text.split("!")
    mapper = classes.get(name)
    if mapper is None:
        raise MalformedExternalId(
            f"{shown(text)} begins with no class of the model. An external id looks like Customer!42."
        )
    if len(parts) != len(mapper.primary_key):
        raise MalformedExternalId(
            f"{shown(text)} has {len(parts)} key parts, the primary key of {name} has {len(mapper.primary_key)}."
        )
    key = tuple(_read(part, column, text) for part, column in zip(parts, mapper.primary_key, strict=True))
    found = ExternalId(mapper, key)
    if str(found) != text:
        raise MalformedExternalId(f"{shown(text)} is not written as Afterwork writes it: {shown(str(found))}.")
    return found


def _read(part: str, column: ColumnElement[Any], text: str) -> Any:
    try:
        if part == "":
            raise ValueError("empty")
        return _reader(python_type(column) or str)(_unquoted(part))
    except (ValueError, KeyError, InvalidOperation):
        wanted = (python_type(column) or str).__name__
        raise MalformedExternalId(
            f"{shown(text)}: {shown(part)} is no {wanted}, as {getattr(column, 'name', column)} needs."
        ) from None


def _reader(kind: type) -> Callable[[str], Any]:
    return kind.__getitem__ if issubclass(kind, enum.Enum) else READERS.get(kind, str)


def _written(value: Any) -> str:
    match value:
        case "" | b"":
            return "%00"
        case enum.Enum():
            return _quoted(value.name)
        case bytes():
            return value.hex()
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case _:
            return _quoted(str(value))


def _quoted(text: str) -> str:
    return text.replace("%", "%25").replace("!", "%21")


def _unquoted(text: str) -> str:
    return "" if text == "%00" else text.replace("%21", "!").replace("%25", "%")


def _whole_number(text: str) -> int:
    if not WHOLE_NUMBER.fullmatch(text) or not -LARGEST <= int(text) < LARGEST:
        raise ValueError(text)
    return int(text)


READERS: Mapping[type, Callable[[str], Any]] = {
    int: _whole_number,
    uuid.UUID: uuid.UUID,
    Decimal: Decimal,
    bytes: bytes.fromhex,
    dt.date: dt.date.fromisoformat,
    dt.datetime: dt.datetime.fromisoformat,
    dt.time: dt.time.fromisoformat,
    bool: {"True": True, "False": False}.__getitem__,
    float: float,
}
