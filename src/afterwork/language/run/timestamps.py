"""Arithmetic of timestamps and durations in whole microseconds, from the year 1 to 9999; results beyond are null.

`sql/timestamp_arithmetic.py` has the SQL of the same. Timestamps are in UTC; one without a time zone is meant in UTC.
"""

import calendar
import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from afterwork.language.run.values import as_timestamp

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = 86_400 * MICROSECONDS_PER_SECOND

MAX_DURATION_MICROSECONDS = 3_660_000 * MICROSECONDS_PER_DAY
"""The longest duration, in either direction: longer than all years together."""

FIRST_MONTH, LAST_MONTH = 12, 9999 * 12 + 11
"""Months since the year 0."""


def microseconds(count: int | float | Decimal, microseconds_per_unit: int) -> int | None:
    """Return a number of units as microseconds, rounded to a whole number; null beyond `MAX_DURATION_MICROSECONDS`."""
    limit = MAX_DURATION_MICROSECONDS // microseconds_per_unit + 1
    if not -limit < count < limit:
        return None
    return (
        count * microseconds_per_unit
        if isinstance(count, int)
        else math.floor(float(count) * microseconds_per_unit + 0.5)
    )


def duration(count: int | float | Decimal, microseconds_per_unit: int) -> timedelta | None:
    number = microseconds(count, microseconds_per_unit)
    return None if number is None else timedelta(microseconds=number)


def bounded(value: timedelta) -> timedelta | None:
    """Return a duration, or null if it is too long."""
    return value if abs(value) <= timedelta(microseconds=MAX_DURATION_MICROSECONDS) else None


def later(value: date, by: timedelta | None) -> datetime | None:
    """Return the timestamp a duration later; null beyond the years."""
    if by is None:
        return None
    try:
        return as_timestamp(value) + by  # type: ignore[no-any-return]
    except OverflowError:
        return None


def earlier(value: date, by: timedelta) -> datetime | None:
    """Return the timestamp a duration earlier; null beyond the years."""
    return later(value, -by)


def difference(end: date, start: date) -> timedelta:
    """Return the duration from the second timestamp to the first."""
    return as_timestamp(end) - as_timestamp(start)  # type: ignore[no-any-return]


def months_later(value: date, months: int) -> datetime | None:
    """Return the same day a number of months later, or the last day of that month; null beyond the years."""
    timestamp: datetime = as_timestamp(value)
    month_number = timestamp.year * 12 + timestamp.month - 1 + months
    if not FIRST_MONTH <= month_number <= LAST_MONTH:
        return None
    year, month = divmod(month_number, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return timestamp.replace(year=year, month=month + 1, day=min(timestamp.day, last_day))


def time_of_day(value: date) -> timedelta:
    timestamp: Any = as_timestamp(value)
    return timestamp - timestamp.replace(hour=0, minute=0, second=0, microsecond=0)  # type: ignore[no-any-return]
