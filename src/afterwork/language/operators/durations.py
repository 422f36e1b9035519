"""Durations."""

from datetime import timedelta

from afterwork.language.run.timestamps import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND, bounded, duration
from afterwork.language.sql import timestamp_arithmetic
from afterwork.language.typed.operator import CallTranslation, ColumnTranslation, Operator, ValueFunction


def _conversions(name: str, unit: int) -> tuple[Operator, Operator]:
    units, example = name.lower(), f"TimeSpan.from{name}(2)"
    return (
        Operator(
            f"Type(TimeSpan).from{name}(N) : TimeSpan",
            ValueFunction(lambda type_, count: duration(count, unit)),
            f"The duration of a number of {units}.",
            (f"{example}.total{name}", "2.toReal"),
            CallTranslation(timestamp_arithmetic.from_units(unit)),
        ),
        Operator(
            f"TimeSpan.total{name} : Real",
            ValueFunction(lambda value: value / timedelta(microseconds=unit)),
            f"The whole duration in {units}.",
            (f"{example}.total{name}", "2.toReal"),
            ColumnTranslation(timestamp_arithmetic.in_units(unit)),
        ),
    )


OPERATORS = (
    Operator(
        "TimeSpan + TimeSpan : TimeSpan",
        ValueFunction(lambda left, right: bounded(left + right)),
        "The sum of the durations.",
        ("(TimeSpan.fromHours(1) + TimeSpan.fromHours(2)).totalHours", "3.toReal"),
        ColumnTranslation(timestamp_arithmetic.sum_of_durations),
    ),
    Operator(
        "TimeSpan - TimeSpan : TimeSpan",
        ValueFunction(lambda left, right: bounded(left - right)),
        "The difference of the durations.",
        ("(TimeSpan.fromHours(3) - TimeSpan.fromHours(2)).totalHours", "1.toReal"),
        ColumnTranslation(timestamp_arithmetic.difference_of_durations),
    ),
    *_conversions("Days", MICROSECONDS_PER_DAY),
    *_conversions("Hours", 3_600 * MICROSECONDS_PER_SECOND),
    *_conversions("Minutes", 60 * MICROSECONDS_PER_SECOND),
    *_conversions("Seconds", MICROSECONDS_PER_SECOND),
)
