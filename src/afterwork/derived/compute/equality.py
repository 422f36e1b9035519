"""Compare values as Python can tell them apart: 1, 1.0 and True are three values."""

import math
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.mutable import MutableDict, MutableList, MutableSet

from afterwork.boundary import failure_of

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
