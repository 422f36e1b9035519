"""The Python values of a column, by its type."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import JSON, ColumnElement, Integer
from sqlalchemy.types import TypeDecorator, TypeEngine


def python_type(column: ColumnElement[Any]) -> type | None:
    """Return the class of a column's values, or None if its type doesn't say. A decorated type is its inner one."""
    for candidate in kinds(column):
        if isinstance(candidate, JSON):
            return dict  # as SQLAlchemy 2.0 says, but not 2.1
        try:
            value_class = candidate.python_type
        except NotImplementedError:  # SQLAlchemy 2.0's way to say that it doesn't know; 2.1 says `object`
            continue
        if value_class is not object:
            return value_class
    return None


def kinds(column: ColumnElement[Any]) -> Iterator[TypeEngine[Any]]:
    """Yield the type of a column, and those that it is made of."""
    yield column.type
    yield from _behind(column.type)


def _behind(kind: TypeEngine[Any]) -> Iterator[TypeEngine[Any]]:
    """Yield the types that a type is made of."""
    from sqlalchemy.dialects.postgresql import DOMAIN, OID  # with them come all drivers, and asyncio

    if isinstance(kind, TypeDecorator):
        yield kind.impl_instance
    elif isinstance(kind, OID):
        yield Integer()
    elif isinstance(kind, DOMAIN):
        yield kind.data_type
        yield from _behind(kind.data_type)


def has_zone(column: ColumnElement[Any]) -> bool:
    """Return whether a column of timestamps keeps their time zone, on databases that can."""
    kind = column.type
    inner = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    return bool(getattr(inner, "timezone", False))
