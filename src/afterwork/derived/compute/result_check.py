"""Results that a column can hold: refused, or rounded, before they are compared and stored."""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Column
from sqlalchemy.types import TypeDecorator

from afterwork.errors import BadValue

DIGITS = Context(prec=1000)

ALSO: dict[type, tuple[type, ...]] = {
    float: (float, int, Decimal), Decimal: (Decimal, int, float), bytes: (bytes, bytearray, memoryview),
}  # fmt: skip
"""Classes of values that columns of a class hold as well."""


def checked(column: Column[Any], name: str, value: Any) -> Any:
    """Return a value as a column holds it. Raises `BadValue` for one that it can't."""
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
    if not isinstance(value, ALSO.get(wanted, wanted)) or (isinstance(value, bool) and wanted not in (bool, object)):
        raise BadValue(f"{name} needs {wanted.__name__}, but its calculation returned {value!r:.100}.")
    return _rounded(value, getattr(column.type, "scale", None))


def _rounded(value: Any, scale: int | None) -> Any:
    """A decimal with as many digits as its column has, as PostgreSQL rounds: SQLite would keep them all."""
    if scale is None or not isinstance(value, Decimal) or not value.is_finite():
        return value
    try:
        return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, DIGITS)
    except InvalidOperation:  # the database will say that it is too large
        return value
