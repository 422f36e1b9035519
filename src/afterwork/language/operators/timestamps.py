"""Timestamps, dates and durations. Timestamps are in UTC; one without a time zone is meant in UTC."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from afterwork.clock import passed
from afterwork.language.run import timestamps as run
from afterwork.language.run.evaluation import Evaluation
from afterwork.language.run.timestamp_format import format_timestamp
from afterwork.language.run.timestamps import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from afterwork.language.run.values import as_timestamp
from afterwork.language.sql import columns
from afterwork.language.sql import timestamp_arithmetic as sql
from afterwork.language.typed.operator import Declare, EvaluationFunction

UNITS = {
    "Days": MICROSECONDS_PER_DAY,
    "Hours": 3_600 * MICROSECONDS_PER_SECOND,
    "Minutes": 60 * MICROSECONDS_PER_SECOND,
    "Seconds": MICROSECONDS_PER_SECOND,
    "Milliseconds": MICROSECONDS_PER_SECOND // 1_000,
}
EXAMPLE = "DateTime.parse('2024-02-29 13:45:10')"

later = Declare("DateTime.add(TimeSpan) : DateTime", f"As `+`. `{EXAMPLE}.add(TimeSpan.fromHours(1)).hour` = `14`")(
    Declare(
        "DateTime + TimeSpan : DateTime",
        "The timestamp a duration later. "
        f"`{EXAMPLE} + TimeSpan.fromHours(1)` = `DateTime.parse('2024-02-29 14:45:10')`",
        columns=sql.later,
    )(run.later)
)
earlier = Declare(
    "DateTime.subtract(TimeSpan) : DateTime", f"As `-`. `{EXAMPLE}.subtract(TimeSpan.fromHours(1)).hour` = `12`"
)(
    Declare(
        "DateTime - TimeSpan : DateTime",
        "The timestamp a duration earlier. "
        f"`{EXAMPLE} - TimeSpan.fromHours(1)` = `DateTime.parse('2024-02-29 12:45:10')`",
        columns=sql.earlier,
    )(run.earlier)
)
difference = Declare(
    "DateTime.subtract(DateTime) : TimeSpan", f"As `-`. `{EXAMPLE}.subtract({EXAMPLE}).totalDays` = `0.toReal`"
)(
    Declare(
        "DateTime - DateTime : TimeSpan",
        f"The duration between two timestamps. `({EXAMPLE} - {EXAMPLE}.date).totalHours.floor` = `13`",
        columns=sql.difference,
    )(run.difference)
)


@Declare(
    "Type(DateTime).utcNow : DateTime", "As `now`: all timestamps are in UTC. `DateTime.utcNow = DateTime.now` = `true`"
)
@Declare("Type(DateTime).now : DateTime", kind=EvaluationFunction)
def now(evaluation: Evaluation, type_: object) -> datetime:
    """The current time, which stands still while an expression is evaluated. `DateTime.now = DateTime.now` = `true`"""
    return evaluation.now


@Declare("Type(Date).today : Date", "The current date, in UTC. `Date.today = DateTime.today` = `true`")
@Declare("Type(DateTime).today : Date", kind=EvaluationFunction)
def today(evaluation: Evaluation, type_: object) -> date:
    """The current date, in UTC. `DateTime.today = DateTime.now.date` = `true`"""
    return as_timestamp(evaluation.now).date()  # type: ignore[no-any-return]


@Declare("DateTime.passed : Boolean", kind=EvaluationFunction)
def has_passed(evaluation: Evaluation, value: date) -> bool:
    """True if the time has passed. A value derived from it is computed again at that time.
    `DateTime.parse('2024-02-29').passed` = `true`"""
    return passed(as_timestamp(value), evaluation.names.clock)


def _adding(units: str, example: str) -> Any:
    unit = UNITS[units]
    return Declare(
        f"DateTime.add{units}(N) : DateTime",
        f"The timestamp a number of {units.lower()} later; earlier for a negative number. "
        f"`{EXAMPLE}.add{units}(1)` = `DateTime.parse('{example}')`",
        columns=sql.adding(unit),
    )(lambda value, count: run.later(value, run.duration(count, unit)))


add_days = _adding("Days", "2024-03-01 13:45:10")
add_hours = _adding("Hours", "2024-02-29 14:45:10")
add_minutes = _adding("Minutes", "2024-02-29 13:46:10")
add_seconds = _adding("Seconds", "2024-02-29 13:45:11")
add_milliseconds = _adding("Milliseconds", "2024-02-29 13:45:10.001")
add_months = Declare(
    "DateTime.addMonths(Integer) : DateTime",
    f"The same day a number of months later, or the last day of that month. `{EXAMPLE}.addMonths(12).day` = `28`",
    columns=sql.months_later,
)(run.months_later)
add_years = Declare(
    "DateTime.addYears(Integer) : DateTime",
    f"The same day a number of years later, or the last day of that month. `{EXAMPLE}.addYears(4).year` = `2028`",
    columns=partial(sql.months_later, months=12),
)(lambda value, years: run.months_later(value, years * 12))
date_part = Declare(
    "DateTime.date : Date",
    f"The date of the timestamp. `{EXAMPLE}.date` = `Date.parse('2024-02-29')`",
    columns=sql.date_of,
)(lambda value: as_timestamp(value).date())
time_part = Declare(
    "DateTime.timeOfDay : TimeSpan",
    f"The duration since midnight. `{EXAMPLE}.timeOfDay.totalHours.floor` = `13`",
    columns=sql.time_of_day,
)(run.time_of_day)


def _reading(name: str, explained: str, example: int, column: Any = None) -> Any:
    """Declare an operator that returns a part of a timestamp."""
    text, doc = f"DateTime.{name} : Integer", f"{explained} `{EXAMPLE}.{name}` = `{example}`"
    return Declare(text, doc, columns=column or columns.part_of_timestamp(name))(
        lambda value: getattr(as_timestamp(value), name)
    )


year = _reading("year", "The year.", 2024)
month = _reading("month", "The month, from 1.", 2)
day = _reading("day", "The day of the month.", 29)
hour = _reading("hour", "The hour.", 13)
minute = _reading("minute", "The minute.", 45)
second = _reading("second", "The second.", 10, sql.second)
day_of_week = Declare(
    "DateTime.dayOfWeek : Integer",
    f"The day of the week, from 0 for Sunday. `{EXAMPLE}.dayOfWeek` = `4`",
    columns=sql.day_of_week,
)(lambda value: as_timestamp(value).isoweekday() % 7)
day_of_year = Declare(
    "DateTime.dayOfYear : Integer",
    f"The day of the year, from 1. `{EXAMPLE}.dayOfYear` = `60`",
    columns=columns.part_of_timestamp("doy"),
)(lambda value: as_timestamp(value).timetuple().tm_yday)


@Declare("DateTime.toString(String) : String", f"As `formatDateTime`. `{EXAMPLE}.toString('yyyyMMdd')` = `'20240229'`")
@Declare(
    "DateTime.formatDateTime(String) : String",
    "The timestamp in a format of .NET's, in English: a picture such as `yyyy-MM-dd HH:mm:ss` or `d/M yy`, or a letter "
    "such as `s`. "
    f"`{EXAMPLE}.formatDateTime('dd/MM yyyy HH:mm')` = `'29/02 2024 13:45'`",
)
def formatted(value: date, pattern: str) -> str:
    """Format a timestamp as .NET does."""
    return format_timestamp(as_timestamp(value), pattern)


@Declare("TimeSpan + TimeSpan : TimeSpan", columns=sql.sum_of_durations)
def sum_of_durations(left: timedelta, right: timedelta) -> timedelta | None:
    """The sum of the durations. `(TimeSpan.fromHours(1) + TimeSpan.fromHours(2)).totalHours` = `3.toReal`"""
    return run.bounded(left + right)


@Declare("TimeSpan - TimeSpan : TimeSpan", columns=sql.difference_of_durations)
def difference_of_durations(left: timedelta, right: timedelta) -> timedelta | None:
    """The difference of the durations. `(TimeSpan.fromHours(3) - TimeSpan.fromHours(2)).totalHours` = `1.toReal`"""
    return run.bounded(left - right)


def _from_units(units: str) -> Any:
    unit = UNITS[units]
    return Declare(
        f"Type(TimeSpan).from{units}(N) : TimeSpan",
        f"The duration of a number of {units.lower()}. `TimeSpan.from{units}(2).total{units}` = `2.toReal`",
        call=sql.from_units(unit),
    )(lambda type_, count: run.duration(count, unit))


def _in_units(units: str) -> Any:
    unit = UNITS[units]
    return Declare(
        f"TimeSpan.total{units} : Real",
        f"The whole duration in {units.lower()}. `TimeSpan.from{units}(2).total{units}` = `2.toReal`",
        columns=sql.in_units(unit),
    )(lambda value: value / timedelta(microseconds=unit))


from_days, total_days = _from_units("Days"), _in_units("Days")
from_hours, total_hours = _from_units("Hours"), _in_units("Hours")
from_minutes, total_minutes = _from_units("Minutes"), _in_units("Minutes")
from_seconds, total_seconds = _from_units("Seconds"), _in_units("Seconds")
