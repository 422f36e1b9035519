"""The values that texts denote: `parse`, and `tryParse`, which each basic type has."""

import math
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from afterwork.language.run import timestamps
from afterwork.language.run.values import as_timestamp
from afterwork.language.typed.operator import Declare

DURATION = re.compile(
    r"(?P<sign>-?)(?:(?P<days>\d{1,9})\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})(?::(?P<seconds>\d{1,2}(?:\.\d{1,7})?))?"
)
"""A duration as .NET writes it: `1.02:03:04.5`, with what is left out being 0."""


VALUE = "The value that a text denotes"


def whole_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\s*[-+]?[0-9]{1,18}\s*", text) else None


def decimal_number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 100 else None


def _real(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _truth(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.strip().lower())


def _guid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


def _timestamp(text: str) -> datetime | None:
    try:
        return as_timestamp(datetime.fromisoformat(text.strip()))  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        return None


def _date(text: str) -> date | None:
    timestamp = _timestamp(text)
    return None if timestamp is None else timestamp.date()


def _duration(text: str) -> timedelta | None:
    match = DURATION.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds = int(match["hours"]), int(match["minutes"]), float(match["seconds"] or 0)
    if hours > 23 or minutes > 59 or seconds >= 60:
        return None
    length = timedelta(days=int(match["days"] or 0), hours=hours, minutes=minutes, seconds=seconds)
    return timestamps.bounded(-length if match["sign"] else length)


def _parsing(
    type_: str, read: Callable[[str], Any], example: str, denotes: str = "The value that a text denotes"
) -> Any:
    """Declare both operators of a type. `read` returns null for a text that denotes none of its values."""

    def parsed(_: object, text: str) -> Any:
        value = read(text)
        if value is None:
            raise ValueError(f"{text[:40]!r} is no {type_}.")
        return value

    needed = Declare(f"Type({type_}).parse(String) : {type_}", f"{denotes}; any other text is an error. {example}")
    or_null = Declare(
        f"Type({type_}).tryParse(String) : {type_}",
        f"As `parse`, but null for any other text. `{type_}.tryParse('x')` = `null`",
    )
    return needed(parsed), or_null(lambda _, text: read(text))


integer, integer_or_null = _parsing(
    "Integer", whole_number, "`Integer.parse('42')` = `42`", "The whole number that a text denotes"
)
number, number_or_null = _parsing(
    "Decimal", decimal_number, "`Decimal.parse('4.2')` = `4.2`", "The number that a text denotes"
)
real, real_or_null = _parsing("Real", _real, "`Real.parse('4.5')` = `4.5.toReal`", "The number that a text denotes")
truth, truth_or_null = _parsing("Boolean", _truth, "`Boolean.parse('True')` = `true`")
guid, guid_or_null = _parsing(
    "Guid",
    _guid,
    "`Guid.parse('{F47AC10B-58CC-4372-A567-0E02B2C3D479}').asString` = `'f47ac10b-58cc-4372-a567-0e02b2c3d479'`",
)
timestamp, timestamp_or_null = _parsing(
    "DateTime",
    _timestamp,
    "`DateTime.parse('2024-02-29').year` = `2024`",
    "The timestamp that a text in ISO 8601 denotes",
)
day, day_or_null = _parsing(
    "Date", _date, "`Date.parse('2024-02-29').day` = `29`", "The date that a text in ISO 8601 denotes"
)
duration, duration_or_null = _parsing(
    "TimeSpan",
    _duration,
    "`TimeSpan.parse('1.02:30:00').totalHours` = `26.5.toReal`",
    "The duration that a text such as `1.02:03:04.5` denotes, one day and some hours",
)
