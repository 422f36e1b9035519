"""What a column's type says of its Python values."""

from typing import Any

from sqlalchemy import Column
from sqlalchemy.types import TypeDecorator


def python_type(column: Column[Any]) -> type | None:
    """The class of a column's values, or None where its type doesn't say. A decorated type speaks for the one inside."""
    kind = column.type
    for candidate in (kind, *([kind.impl_instance] if isinstance(kind, TypeDecorator) else [])):
        try:
            found = candidate.python_type
        except NotImplementedError:  # SQLAlchemy 2.0's way to say that it doesn't know; 2.1 says `object`
            continue
        if found is not object:
            return found
    return None


def has_zone(column: Column[Any]) -> bool:
    """Whether a column of moments keeps their time zone (on databases that can)."""
    kind = column.type
    return bool(getattr(kind, "timezone", False) or (isinstance(kind, TypeDecorator) and kind.impl_instance.timezone))
