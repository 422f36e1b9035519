"""How moments and spans are calculated: in whole microseconds, from the year 1 to 9999; what lies beyond is null.

The SQL of the same is in `sql/timing.py`. Moments are in UTC; one without a time zone is meant in UTC.
"""

import calendar
import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from afterwork.language.run.values import as_timestamp

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = 86_400 * MICROSECONDS_PER_SECOND
"""In microseconds."""

MAX_DURATION_MICROSECONDS = 3_660_000 * MICROSECONDS_PER_DAY
"""Longer than all years together: no span is, in either direction."""

FIRST_MONTH, LAST_MONTH = 12, 9999 * 12 + 11
"""Months since the year 0."""


def microseconds(count: int | float | Decimal, unit: int) -> int | None:
    """So many units of so many microseconds, the nearest whole number; null for what is longer than `LONGEST`."""
    most = MAX_DURATION_MICROSECONDS // unit + 1
    if not -most < count < most:
        return None
    return count * unit if isinstance(count, int) else math.floor(float(count) * unit + 0.5)


def duration(count: int | float | Decimal, unit: int) -> timedelta | None:
    """A span of so many units."""
    found = microseconds(count, unit)
    return None if found is None else timedelta(microseconds=found)


def bounded(value: timedelta) -> timedelta | None:
    """A span that is not too long."""
    return value if abs(value) <= timedelta(microseconds=MAX_DURATION_MICROSECONDS) else None


def later(value: date, by: timedelta | None) -> datetime | None:
    """A moment so much later."""
    if by is None:
        return None
    try:
        return as_timestamp(value) + by  # type: ignore[no-any-return]
    except OverflowError:
        return None


def earlier(value: date, by: timedelta) -> datetime | None:
    """A moment so much earlier."""
    return later(value, -by)


def difference(one: date, other: date) -> timedelta:
    """The span from the second to the first."""
    return as_timestamp(one) - as_timestamp(other)  # type: ignore[no-any-return]


def months_later(value: date, months: int) -> datetime | None:
    """The same day of another month, or its last one."""
    found: datetime = as_timestamp(value)
    number = found.year * 12 + found.month - 1 + months
    if not FIRST_MONTH <= number <= LAST_MONTH:
        return None
    year, month = divmod(number, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return found.replace(year=year, month=month + 1, day=min(found.day, last))


def time_of_day(value: date) -> timedelta:
    """The span since midnight."""
    found: Any = as_timestamp(value)
    return found - found.replace(hour=0, minute=0, second=0, microsecond=0)  # type: ignore[no-any-return]
