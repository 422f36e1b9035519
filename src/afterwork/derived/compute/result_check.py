"""Check the results for a derived column: refuse or round them, and compare them as Python can tell them apart."""

import math
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sqlalchemy import Column
from sqlalchemy.ext.mutable import MutableDict, MutableList, MutableSet
from sqlalchemy.types import TypeDecorator

from afterwork.boundary import failure_of
from afterwork.errors import BadValue

CONTAINERS = ((MutableDict, dict), (MutableList, list), (MutableSet, set))
"""The classes by which SQLAlchemy tracks changes of a container, each with the plain class."""


def is_same(left: Any, right: Any) -> bool:
    """Return whether two values are indistinguishable, at any depth. In doubt, they are not."""
    try:
        return left is right or _is_same(left, right)
    except BaseException as error:  # of the values' own comparison; or they contain themselves
        failure_of(error)
        return False


def _is_same(left: Any, right: Any) -> bool:
    kind = _class_of(left)
    if kind is not _class_of(right):
        return False
    rule = RULES.get(kind)
    return bool(left == right) and _are_made_alike(left, right) if rule is None else bool(rule(left, right))


def _class_of(value: Any) -> type:
    for seen, kind in CONTAINERS:
        if type(value) is seen:
            return kind
    return type(value)


def _are_equal(left: Any, right: Any) -> bool:
    return bool(left == right)


def _are_same_floats(left: float, right: float) -> bool:
    both = left == right and math.copysign(1, left) == math.copysign(1, right)
    return both or (math.isnan(left) and math.isnan(right))


def _have_same_digits(left: Decimal, right: Decimal) -> bool:
    return left.as_tuple() == right.as_tuple()


def _are_in_one_zone(left: datetime | time, right: datetime | time) -> bool:
    return left == right and left.utcoffset() == right.utcoffset()


def _all_same(left: Collection[Any], right: Collection[Any]) -> bool:
    return len(left) == len(right) and all(map(is_same, left, right))


def _are_same_pairs(left: dict[Any, Any], right: dict[Any, Any]) -> bool:
    """Compare the order of the keys, too."""
    return _all_same(left, right) and _all_same(left.values(), right.values())


def _have_same_items(left: Collection[Any], right: Collection[Any]) -> bool:
    return {(type(item), item) for item in left} == {(type(item), item) for item in right}


def _are_made_alike(left: Any, right: Any) -> bool:
    return is_same(getattr(left, "__dict__", None), getattr(right, "__dict__", None))


RULES: Mapping[type, Callable[[Any, Any], bool]] = {
    **dict.fromkeys((type(None), bool, int, str, bytes, date, UUID), _are_equal),
    float: _are_same_floats,
    Decimal: _have_same_digits,
    **dict.fromkeys((datetime, time), _are_in_one_zone),
    **dict.fromkeys((list, tuple), _all_same),
    dict: _are_same_pairs,
    **dict.fromkeys((set, frozenset), _have_same_items),
}
"""The comparison for each class. Values of other classes must be equal, and have the same attributes."""


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
