"""A ticket's key as a text, which is how leases and people name it, whatever its type."""

import uuid
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func

from afterwork.model.columns import python_type
from afterwork.model.external_id import READERS


def key_text(key: object) -> str:
    """A key as a text."""
    return key.hex if isinstance(key, uuid.UUID) else str(key)


def key_of(text: str, column: ColumnElement[Any]) -> Any:
    """The key in a column that a text names. Raises `ValueError` if it names none."""
    return READERS.get(python_type(column) or str, str)(text)


def key_as_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    """What `key_text` says, in a statement. Databases differ in whether they keep the hyphens of a UUID."""
    text = cast(column, Text)
    return func.replace(text, "-", "") if python_type(column) is uuid.UUID else text
