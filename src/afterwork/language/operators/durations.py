"""Spans of time."""

from datetime import timedelta

from afterwork.language.run.timestamps import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND, bounded, duration
from afterwork.language.sql import timestamp_arithmetic
from afterwork.language.typed.operator import CallTranslation, ColumnTranslation, Operator, ValueFunction


def _spanning(name: str, unit: int) -> tuple[Operator, Operator]:
    units, example = name.lower(), f"TimeSpan.from{name}(2)"
    return (
        Operator(
            f"Type(TimeSpan).from{name}(N) : TimeSpan",
            ValueFunction(lambda kind, count: duration(count, unit)),
            f"A span of so many {units}.",
            (f"{example}.total{name}", "2.toReal"),
            CallTranslation(timestamp_arithmetic.spanning(unit)),
        ),
        Operator(
            f"TimeSpan.total{name} : Real",
            ValueFunction(lambda value: value / timedelta(microseconds=unit)),
            f"The whole span in {units}.",
            (f"{example}.total{name}", "2.toReal"),
            ColumnTranslation(timestamp_arithmetic.total(unit)),
        ),
    )


ROWS = (
    Operator(
        "TimeSpan + TimeSpan : TimeSpan",
        ValueFunction(lambda one, other: bounded(one + other)),
        "Both spans.",
        ("(TimeSpan.fromHours(1) + TimeSpan.fromHours(2)).totalHours", "3.toReal"),
        ColumnTranslation(timestamp_arithmetic.longer),
    ),
    Operator(
        "TimeSpan - TimeSpan : TimeSpan",
        ValueFunction(lambda one, other: bounded(one - other)),
        "What is left of a span.",
        ("(TimeSpan.fromHours(3) - TimeSpan.fromHours(2)).totalHours", "1.toReal"),
        ColumnTranslation(timestamp_arithmetic.shorter),
    ),
    *_spanning("Days", MICROSECONDS_PER_DAY),
    *_spanning("Hours", 3_600 * MICROSECONDS_PER_SECOND),
    *_spanning("Minutes", 60 * MICROSECONDS_PER_SECOND),
    *_spanning("Seconds", MICROSECONDS_PER_SECOND),
)
