"""External ids: a text that names one object of the model, `Customer!42`.

The class, then each part of the primary key, separated by `!`. In a part, `%` and `!` are written `%25` and `%21`, and
an empty part is `%00`. Each object has exactly one external id, and no other spelling of it is accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import InvalidOperation
from hashlib import blake2b
from typing import Any

from sqlalchemy import ColumnElement, Integer, inspect
from sqlalchemy.orm import InstanceState, Mapper

from afterwork.errors import MalformedExternalId, shown
from afterwork.model.column_types import python_type
from afterwork.model.key import encode_key_part, key_part_decoder
from afterwork.model.known_names import meant

MAX_LENGTH = 1000
"""Characters of an external id at most. A longer key is none to keep in a ticket."""

MAX_BYTES = 2000
"""Bytes of the external id of an object with caches at most: PostgreSQL's indexes have room for little more."""

PLACEHOLDER = "%?"
"""Replaces the key in the external id of an object whose key can't be written. A digest of the key follows."""


@dataclass(frozen=True)
class ExternalId:
    """A class of the model and a primary key, as one value: `key` has the key's parts as Python values."""

    mapper: Mapper[Any]
    key: tuple[Any, ...]

    def __str__(self) -> str:
        return "!".join([self.mapper.class_.__name__, *map(_written, self.key)])


def external_id(obj: object) -> str:
    """Return the external id of a mapped object that has its key, for example `Customer!42`.

    Raises `MalformedExternalId` for an object that is not mapped or whose key is not known before it is flushed.
    """
    text = external_id_or_none(obj)
    if text is None:
        raise MalformedExternalId(
            f"{type(obj).__name__} has no primary key yet. Flush it first, or give it as root_object."
        )
    return text


def external_id_or_none(obj: object) -> str | None:
    """Return the external id of a mapped object; None while a part of its key isn't known."""
    state = inspect(obj, raiseerr=False)
    if not isinstance(state, InstanceState):
        raise MalformedExternalId(f"{shown(obj)} is no mapped object, so it has no external id.")
    mapper: Mapper[Any] = state.mapper
    key = _key_of(state)
    return None if None in key else str(ExternalId(mapper, key))


def _key_of(state: InstanceState[Any]) -> tuple[Any, ...]:
    """Return the key of an object without asking the database, of which an AsyncSession can't be asked here."""
    mapper: Mapper[Any] = state.mapper
    members = {mapper.get_property_by_column(column).key for column in mapper.primary_key}
    if state.identity is not None and not members <= state.dict.keys():  # they have expired
        return tuple(state.identity)
    # From the attributes: inside a flush, the object has no identity yet.
    return tuple(mapper.primary_key_from_instance(state.obj()))


def root_id(mapper: Mapper[Any], key: tuple[Any, ...]) -> str:
    """Return the external id under which the caches of an object with this primary key are stored.

    Raises `MalformedExternalId` or `ValueError` if no external id leads back to the key.
    """
    if len(key) == 1 and type(key[0]) is int and isinstance(mapper.primary_key[0].type, Integer):
        return f"{mapper.class_.__name__}!{key[0]}"
    if None in key:
        raise MalformedExternalId("A part of the key is null.")
    text = str(ExternalId(mapper, key))
    size = len(text.encode())  # raises for a text that has no encoding
    if len(text) > MAX_LENGTH or size > MAX_BYTES:
        raise MalformedExternalId(
            f"{shown(text)} is too long: an external id has at most {MAX_LENGTH:,} characters and, here, "
            f"{MAX_BYTES:,} bytes."
        )
    if parse(text, {mapper.class_.__name__: mapper}).key != key:
        raise MalformedExternalId(f"{shown(text)} does not identify the whole key.")
    hash(key)  # SQLAlchemy can't find an object by a key that has none
    return text


def placeholder_id(mapper: Mapper[Any], key: object) -> str:
    """Return what replaces the external id of an object that can have none, by its key in the journal."""
    digest = blake2b(str(key).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{mapper.class_.__name__}!{PLACEHOLDER}{digest}"


def name_of(mapper: Mapper[Any], key: tuple[Any, ...]) -> str:
    """Return the external id of an object with this primary key or, if it can have none, its placeholder."""
    try:
        return root_id(mapper, key)
    except Exception:  # whatever the types of the model raise
        return placeholder_id(mapper, key)


def is_placeholder(text: str) -> bool:
    """Return whether this replaces the external id of an object that can have none."""
    return text.partition("!")[2].startswith(PLACEHOLDER)


def class_of(text: str, classes: Mapping[str, Mapper[Any]]) -> Mapper[Any]:
    """Return the class that an external id, or its placeholder, begins with. Raises `MalformedExternalId`."""
    name = text.partition("!")[0]
    return classes[name] if is_placeholder(text) and name in classes else parse(text, classes).mapper


def parse(text: str | None, classes: Mapping[str, Mapper[Any]]) -> ExternalId:
    """Read an external id. Raises `MalformedExternalId`, saying which part is wrong."""
    if not text or len(text) > MAX_LENGTH or "\0" in text:
        raise MalformedExternalId(f"{shown(text)} is no external id. One looks like Customer!42.")
    name, *parts = text.split("!")
    mapper = classes.get(name)
    if mapper is None:
        near = meant(name, classes)
        raise MalformedExternalId(
            f"{shown(text)} begins with no class of the model. An external id looks like Customer!42. "
            f"{near}{' ' if near else ''}Classes are listed by: afterwork model MODULE:APP"
        )
    if parts[:1] and parts[0].startswith(PLACEHOLDER):
        raise MalformedExternalId(
            f"{shown(text)} stands for a {name} whose key can't be read, or not be written as an external id."
        )
    if len(parts) != len(mapper.primary_key):
        raise MalformedExternalId(
            f"{shown(text)} has {len(parts)} key parts, the primary key of {name} has {len(mapper.primary_key)}."
        )
    key = tuple(_read(part, column, text) for part, column in zip(parts, mapper.primary_key, strict=True))
    external = ExternalId(mapper, key)
    if str(external) != text:
        raise MalformedExternalId(f"{shown(text)} is not written as Afterwork writes it: {shown(str(external))}.")
    return external


def _read(part: str, column: ColumnElement[Any], text: str) -> Any:
    try:
        if part == "":
            raise ValueError("empty")
        return key_part_decoder(column)(_unquoted(part))
    except (ValueError, KeyError, InvalidOperation):
        wanted = (python_type(column) or str).__name__
        raise MalformedExternalId(
            f"{shown(text)}: {shown(part)} is no {wanted}, as {getattr(column, 'name', column)} needs."
        ) from None


def _written(value: Any) -> str:
    return "%00" if value in ("", b"") else encode_key_part(value).replace("%", "%25").replace("!", "%21")


def _unquoted(text: str) -> str:
    return "" if text == "%00" else text.replace("%21", "!").replace("%25", "%")
