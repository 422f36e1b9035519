"""Spans of time."""

from datetime import timedelta

from afterwork.language.run.timestamps import DAY, SECOND, limited, span
from afterwork.language.sql import timestamp_arithmetic
from afterwork.language.typed.operator import Columns, Operator, Plain, Rows


def _spanning(name: str, unit: int) -> tuple[Operator, Operator]:
    units, example = name.lower(), f"TimeSpan.from{name}(2)"
    return (
        Operator(
            f"Type(TimeSpan).from{name}(N) : TimeSpan",
            Plain(lambda kind, count: span(count, unit)),
            f"A span of so many {units}.",
            (f"{example}.total{name}", "2.toReal"),
            Rows(timestamp_arithmetic.spanning(unit)),
        ),
        Operator(
            f"TimeSpan.total{name} : Real",
            Plain(lambda value: value / timedelta(microseconds=unit)),
            f"The whole span in {units}.",
            (f"{example}.total{name}", "2.toReal"),
            Columns(timestamp_arithmetic.total(unit)),
        ),
    )


ROWS = (
    Operator(
        "TimeSpan + TimeSpan : TimeSpan",
        Plain(lambda one, other: limited(one + other)),
        "Both spans.",
        ("(TimeSpan.fromHours(1) + TimeSpan.fromHours(2)).totalHours", "3.toReal"),
        Columns(timestamp_arithmetic.longer),
    ),
    Operator(
        "TimeSpan - TimeSpan : TimeSpan",
        Plain(lambda one, other: limited(one - other)),
        "What is left of a span.",
        ("(TimeSpan.fromHours(3) - TimeSpan.fromHours(2)).totalHours", "1.toReal"),
        Columns(timestamp_arithmetic.shorter),
    ),
    *_spanning("Days", DAY),
    *_spanning("Hours", 3_600 * SECOND),
    *_spanning("Minutes", 60 * SECOND),
    *_spanning("Seconds", SECOND),
)
