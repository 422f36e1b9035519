"""Keys: a ticket's key as text, by which leases and people name it, and conditions on keys."""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, cast, func, tuple_

from afterwork.model.column_types import python_type
from afterwork.model.key_codec import DECODERS


def key_text(key: object) -> str:
    """Return a key as text."""
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
    return tuple_(*columns).in_(list(keys))
