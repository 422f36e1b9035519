"""Values of any type: when they are equal, how they sort, and how they are written as text.

Collections are lists without nulls, tuples are named tuples, timestamps are aware and in UTC.
"""

import enum
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.language.typed import types

DECIMAL_QUANTUM = Decimal(1).scaleb(-10)
"""The precision of divided decimals. Databases that keep them as floats compare this many places."""

Items = list[Any]
"""The elements of a collection."""


def as_timestamp(value: date | None) -> Any:
    """Return a date or a timestamp as an aware timestamp in UTC. One without a time zone is meant in UTC."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def as_stored(value: datetime, column_type: TypeEngine[Any] | None) -> datetime:
    """Return a timestamp as a column takes it: without a time zone where the column has none."""
    if column_type is None or isinstance(column_type, TypeDecorator) or getattr(column_type, "timezone", False):
        return value
    return value.replace(tzinfo=None)


def rounded(number: Decimal) -> Decimal:
    """Return a decimal rounded to `DECIMAL_QUANTUM`."""
    return number.quantize(DECIMAL_QUANTUM, ROUND_HALF_UP) if number.is_finite() and abs(number) < 10**17 else number


def equality_key(value: Any) -> Hashable:
    """Return a key that equal values share. Objects are equal only to themselves, and `true` is not 1."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, list):
        return tuple(equality_key(item) for item in value)
    if isinstance(value, tuple):
        return (tuple, *(equality_key(item) for item in value))
    if isinstance(value, str | int | float | Decimal | date | enum.Enum) or value is None:
        return value
    return (id, id(value)) if inspect(type(value), raiseerr=False) is not None else value


def as_elements(value: Any) -> list[Any]:
    """Return a value of an unknown type as a flat collection. A single value becomes its only element; null has
    none."""
    match value:
        case None:
            return []
        case list() | set() | frozenset():
            return [element for item in value for element in as_elements(item)]
        case tuple() if not hasattr(value, "_fields"):
            return [element for item in value for element in as_elements(item)]
    return [value]


def unique(items: Iterable[Any]) -> list[Any]:
    """Return each value once, at its first position."""
    by_key: dict[Hashable, Any] = {}
    for item in items:
        by_key.setdefault(equality_key(item), item)
    return list(by_key.values())


def equal(left: Any, right: Any) -> bool:
    """Return whether two values of unknown types are equal."""
    if isinstance(left, datetime) and isinstance(right, datetime):
        return bool(as_timestamp(left) == as_timestamp(right))
    if isinstance(left, list) and isinstance(right, list):
        return [equality_key(item) for item in left] == [equality_key(item) for item in right]
    return bool(equality_key(left) == equality_key(right))


def equal_collections(left: Sequence[Any], right: Sequence[Any], kinds: tuple[str, str]) -> bool:
    """Return whether two collections are equal: in the same order if both have one, else with the same counts."""
    left_keys, right_keys = [equality_key(item) for item in left], [equality_key(item) for item in right]
    if all(kind in types.ORDERED_KINDS for kind in kinds):
        return left_keys == right_keys
    if all(kind in types.UNIQUE_KINDS for kind in kinds):
        return set(left_keys) == set(right_keys)
    return Counter(left_keys) == Counter(right_keys)


class SortKey:
    """A value as a sort key: null sorts first, tuples sort by their parts."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        match value:
            case tuple():
                self.value: Any = tuple(SortKey(part) for part in value)
            case enum.Enum():
                self.value = value.name
            case _:
                self.value = value

    def __lt__(self, other: "SortKey") -> bool:
        if self.value is None or other.value is None:
            return self.value is None and other.value is not None
        return bool(self.value < other.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SortKey) and bool(self.value == other.value)

    __hash__ = None  # type: ignore[assignment]


def text_of(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case enum.Enum():
            return value.name
        case datetime():
            return as_timestamp(value).strftime("%Y-%m-%d %H:%M:%S")  # type: ignore[no-any-return]
        case str() | int() | float() | date() | time():
            return str(value)
        case list():
            return ", ".join(text_of(item) for item in value)
    return type(value).__name__ if inspect(type(value), raiseerr=False) is not None else str(value)
