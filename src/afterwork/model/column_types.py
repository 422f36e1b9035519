"""What a column's type says of its Python values."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Integer
from sqlalchemy.dialects.postgresql import DOMAIN, OID
from sqlalchemy.types import TypeDecorator, TypeEngine


def python_type(column: ColumnElement[Any]) -> type | None:
    """The class of a column's values, or None where its type doesn't say. A decorated type is what is inside."""
    for candidate in kinds(column):
        try:
            found = candidate.python_type
        except NotImplementedError:  # SQLAlchemy 2.0's way to say that it doesn't know; 2.1 says `object`
            continue
        if found is not object:
            return found
    return None


def kinds(column: ColumnElement[Any]) -> Iterator[TypeEngine[Any]]:
    """Give the type of a column, and those that it is made of."""
    yield column.type
    yield from _behind(column.type)


def _behind(kind: TypeEngine[Any]) -> Iterator[TypeEngine[Any]]:
    """The types that a type is made of."""
    if isinstance(kind, TypeDecorator):
        yield kind.impl_instance
    elif isinstance(kind, OID):
        yield Integer()
    elif isinstance(kind, DOMAIN):
        yield kind.data_type
        yield from _behind(kind.data_type)


def has_zone(column: ColumnElement[Any]) -> bool:
    """Whether a column of moments keeps their time zone (on databases that can)."""
    kind = column.type
    inner = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    return bool(getattr(inner, "timezone", False))
