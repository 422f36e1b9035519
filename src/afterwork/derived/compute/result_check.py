"""Check results against their column: refuse or round them before they are compared and stored."""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Column
from sqlalchemy.types import TypeDecorator

from afterwork.errors import BadValue

EXACT = Context(prec=1000)
"""Enough digits to round any decimal exactly."""

ACCEPTED_CLASSES: dict[type, tuple[type, ...]] = {
    float: (float, int, Decimal), Decimal: (Decimal, int, float), bytes: (bytes, bytearray, memoryview),
}  # fmt: skip
"""The classes of values that a column takes, where it takes others than its own."""


def checked(column: Column[Any], name: str, value: Any) -> Any:
    """Return a value as its column holds it. Raises `BadValue` if it can't hold it."""
    if value is None:
        if not column.nullable:
            raise BadValue(f"{name} can't be null, but its calculation returned None.")
        return None
    if isinstance(column.type, TypeDecorator):
        return value  # only it knows
    try:
        wanted = column.type.python_type
    except NotImplementedError:
        return value
    if not isinstance(value, ACCEPTED_CLASSES.get(wanted, wanted)) or (
        isinstance(value, bool) and wanted not in (bool, object)
    ):
        raise BadValue(f"{name} needs {wanted.__name__}, but its calculation returned {value!r:.100}.")
    return _rounded(value, getattr(column.type, "scale", None))


def _rounded(value: Any, scale: int | None) -> Any:
    """Round a decimal to the digits of its column, as PostgreSQL does: SQLite would keep them all."""
    if scale is None or not isinstance(value, Decimal) or not value.is_finite():
        return value
    try:
        return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT)
    except InvalidOperation:  # the database will say that it is too large
        return value
