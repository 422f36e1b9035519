"""Formats timestamps as .NET does in its invariant culture: English names, and the month before the day where short.

The rules are those of .NET's documentation: "Standard date and time format strings", and "Custom …".
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

STANDARD: Mapping[str, str] = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "M": "MMMM dd",
    "m": "MMMM dd",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "Y": "yyyy MMMM",
    "y": "yyyy MMMM",
}
"""The formats that a single letter stands for."""

MAX_FRACTION = 7
"""The most digits after the second that .NET has: ticks of 100 ns."""

PART = re.compile(r"""\\[\s\S]|%[^%]|'[^']*'|"[^"]*"|\.?F+|([dfghHKmMstyz])\1*|[\s\S]""")


def format_timestamp(timestamp: datetime, pattern: str) -> str:
    """Return a timestamp in UTC in a format: a single letter, such as `d`, or a picture, such as `d/M yyyy HH:mm`.

    Raises `ValueError` for a letter that stands for no format, and for a fraction of too many digits.
    """
    if not pattern:
        pattern = "G"
    if len(pattern) == 1:
        if pattern not in STANDARD:
            raise ValueError(
                f"There is no format {pattern!r} of timestamps. Use one of {' '.join(STANDARD)}, or dd/MM."
            )
        pattern = STANDARD[pattern]
    return "".join(_part(timestamp, match[0]) for match in PART.finditer(pattern))


def _part(timestamp: datetime, part: str) -> str:
    """Return what a part of a picture stands for. What is neither a letter of a format nor quoted stands for itself."""
    if len(part) > 1 and part[0] in "'\"":
        return part[1:-1]
    if len(part) > 1 and part[0] == "\\":
        return part[1:]
    if len(part) > 1 and part[0] == "%":
        return _part(timestamp, part[1:])
    if part.endswith("F"):
        return _short_fraction(timestamp, part)
    return LETTERS[part[0]](timestamp, len(part)) if part[0] in LETTERS else part


def _day(timestamp: datetime, count: int) -> str:
    if count < 3:
        return str(timestamp.day).zfill(count)
    name = DAYS[timestamp.weekday()]
    return name[:3] if count == 3 else name


def _month(timestamp: datetime, count: int) -> str:
    if count < 3:
        return str(timestamp.month).zfill(count)
    name = MONTHS[timestamp.month - 1]
    return name[:3] if count == 3 else name


def _year(timestamp: datetime, count: int) -> str:
    year = timestamp.year if count > 2 else timestamp.year % 100
    return str(year).zfill(count)


def _half_of_day(timestamp: datetime, count: int) -> str:
    return ("AM" if timestamp.hour < 12 else "PM")[: min(count, 2)]


def _fraction(timestamp: datetime, count: int) -> str:
    if count > MAX_FRACTION:
        raise ValueError(f"A timestamp has at most {MAX_FRACTION} digits after the second, and not {count}.")
    return f"{timestamp.microsecond:06d}0"[:count]


def _short_fraction(timestamp: datetime, part: str) -> str:
    """Return a fraction without zeros at its end, and without the point before it if nothing is left of it."""
    digits = _fraction(timestamp, part.count("F")).rstrip("0")
    return part.rstrip("F") + digits if digits else ""


def _offset(_: datetime, count: int) -> str:
    return {1: "+0", 2: "+00"}.get(count, "+00:00")


def _number(of: Callable[[datetime], int]) -> Callable[[datetime, int], str]:
    return lambda timestamp, count: str(of(timestamp)).zfill(min(count, 2))


LETTERS: Mapping[str, Callable[[datetime, int], str]] = {
    "d": _day,
    "f": _fraction,
    "g": lambda timestamp, count: "A.D.",
    "h": _number(lambda timestamp: (timestamp.hour - 1) % 12 + 1),
    "H": _number(lambda timestamp: timestamp.hour),
    "K": lambda timestamp, count: "Z" * count,
    "m": _number(lambda timestamp: timestamp.minute),
    "M": _month,
    "s": _number(lambda timestamp: timestamp.second),
    "t": _half_of_day,
    "y": _year,
    "z": _offset,
}
"""The meaning of each letter, given how often it stands there."""
