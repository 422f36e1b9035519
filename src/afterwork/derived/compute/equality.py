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


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are indistinguishable, at any depth. In doubt, they are not."""
    try:
        return one is other or _is_same(one, other)
    except BaseException as error:  # of the values' own comparison; or they contain themselves
        failure_of(error)
        return False


def _is_same(one: Any, other: Any) -> bool:
    kind = _class_of(one)
    if kind is not _class_of(other):
        return False
    rule = RULES.get(kind)
    return bool(one == other) and _are_made_alike(one, other) if rule is None else bool(rule(one, other))


def _class_of(value: Any) -> type:
    for seen, kind in CONTAINERS:
        if type(value) is seen:
            return kind
    return type(value)


def _are_equal(one: Any, other: Any) -> bool:
    return bool(one == other)


def _are_same_floats(one: float, other: float) -> bool:
    both = one == other and math.copysign(1, one) == math.copysign(1, other)
    return both or (math.isnan(one) and math.isnan(other))


def _have_same_digits(one: Decimal, other: Decimal) -> bool:
    return one.as_tuple() == other.as_tuple()


def _are_in_one_zone(one: datetime | time, other: datetime | time) -> bool:
    return one == other and one.utcoffset() == other.utcoffset()


def _all_same(one: Collection[Any], other: Collection[Any]) -> bool:
    return len(one) == len(other) and all(map(is_same, one, other))


def _are_same_pairs(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    """Compare the order of the keys, too."""
    return _all_same(one, other) and _all_same(one.values(), other.values())


def _have_same_items(one: Collection[Any], other: Collection[Any]) -> bool:
    return {(type(item), item) for item in one} == {(type(item), item) for item in other}


def _are_made_alike(one: Any, other: Any) -> bool:
    return is_same(getattr(one, "__dict__", None), getattr(other, "__dict__", None))


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
