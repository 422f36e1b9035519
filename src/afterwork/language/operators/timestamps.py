"""Timestamps and dates. Timestamps are in UTC; one without a time zone is meant in UTC."""

import re
from datetime import date, datetime

from afterwork.clock import passed
from afterwork.language.run.timestamps import (
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_SECOND,
    difference,
    duration,
    earlier,
    later,
    months_later,
    time_of_day,
)
from afterwork.language.run.values import as_timestamp
from afterwork.language.sql import columns, timestamp_arithmetic
from afterwork.language.typed.operator import ColumnTranslation, EvaluationFunction, Operator, ValueFunction

PYTHON_FORMATS = {
    "yyyy": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "dddd": "%A",
    "ddd": "%a",
    "dd": "%d",
    "HH": "%H",
    "hh": "%I",
    "mm": "%M",
    "ss": "%S",
    "fff": "%f",
    "tt": "%p",
}
"""The parts of .NET's formats, with those of Python."""

FORMAT_PART = re.compile("|".join(sorted(PYTHON_FORMATS, key=len, reverse=True)))
MICROSECONDS, MILLISECONDS = 6, 3


def formatted(value: date, pattern: str) -> str:
    """Format a timestamp as .NET does."""
    timestamp: datetime = as_timestamp(value)

    def part(match: re.Match[str]) -> str:
        written = timestamp.strftime(PYTHON_FORMATS[match[0]])
        return written[:MILLISECONDS] if match[0] == "fff" else written

    return FORMAT_PART.sub(part, pattern)


def read(text: str) -> datetime:
    return as_timestamp(datetime.fromisoformat(text.strip()))  # type: ignore[no-any-return]


def read_or_null(text: str) -> datetime | None:
    try:
        return read(text)
    except ValueError:
        return None


EXAMPLE = "DateTime.parse('2024-02-29 13:45:10')"


def _adding(name: str, unit: int, example: str) -> Operator:
    units = name.removeprefix("add").lower()
    return Operator(
        f"DateTime.{name}(N) : DateTime",
        ValueFunction(lambda value, count: later(value, duration(count, unit))),
        f"The timestamp a number of {units} later; earlier for a negative number.",
        (f"{EXAMPLE}.{name}(1)", f"DateTime.parse('{example}')"),
        ColumnTranslation(timestamp_arithmetic.adding(unit)),
    )


def _reading(name: str, doc: str, example: int, sql: ColumnTranslation) -> Operator:
    value = ValueFunction(lambda value: getattr(as_timestamp(value), name))
    return Operator(f"DateTime.{name} : Integer", value, doc, (f"{EXAMPLE}.{name}", str(example)), sql)


OPERATORS = (
    Operator(
        "DateTime + TimeSpan : DateTime",
        ValueFunction(later),
        "The timestamp a duration later.",
        (f"{EXAMPLE} + TimeSpan.fromHours(1)", "DateTime.parse('2024-02-29 14:45:10')"),
        ColumnTranslation(timestamp_arithmetic.later),
    ),
    Operator(
        "DateTime - TimeSpan : DateTime",
        ValueFunction(earlier),
        "The timestamp a duration earlier.",
        (f"{EXAMPLE} - TimeSpan.fromHours(1)", "DateTime.parse('2024-02-29 12:45:10')"),
        ColumnTranslation(timestamp_arithmetic.earlier),
    ),
    Operator(
        "DateTime - DateTime : TimeSpan",
        ValueFunction(difference),
        "The duration between two timestamps.",
        (f"({EXAMPLE} - {EXAMPLE}.date).totalHours.floor", "13"),
        ColumnTranslation(timestamp_arithmetic.difference),
    ),
    Operator(
        "Type(DateTime).now : DateTime",
        EvaluationFunction(lambda evaluation, type_: evaluation.now),
        "The current time, which stands still while an expression is evaluated.",
        ("DateTime.now = DateTime.now", "true"),
    ),
    Operator(
        "Type(DateTime).utcNow : DateTime",
        EvaluationFunction(lambda evaluation, type_: evaluation.now),
        "As `now`: all timestamps are in UTC.",
        ("DateTime.utcNow = DateTime.now", "true"),
    ),
    Operator(
        "Type(DateTime).today : Date",
        EvaluationFunction(lambda evaluation, type_: as_timestamp(evaluation.now).date()),
        "The current date, in UTC.",
        ("DateTime.today = DateTime.now.date", "true"),
    ),
    Operator(
        "Type(Date).today : Date",
        EvaluationFunction(lambda evaluation, type_: as_timestamp(evaluation.now).date()),
        "The current date, in UTC.",
        ("Date.today = DateTime.today", "true"),
    ),
    Operator(
        "DateTime.passed : Boolean",
        EvaluationFunction(lambda evaluation, value: passed(as_timestamp(value), evaluation.names.clock)),
        "True if the time has passed. A value derived from it is computed again at that time.",
        ("DateTime.parse('2024-02-29').passed", "true"),
    ),
    Operator(
        "Type(DateTime).parse(String) : DateTime",
        ValueFunction(lambda type_, text: read(text)),
        "The timestamp that a text in ISO 8601 denotes; any other text is an error.",
        ("DateTime.parse('2024-02-29').year", "2024"),
    ),
    Operator(
        "Type(DateTime).tryParse(String) : DateTime",
        ValueFunction(lambda type_, text: read_or_null(text)),
        "As `parse`, but null for any other text.",
        ("DateTime.tryParse('soon')", "null"),
    ),
    Operator(
        "Type(Date).parse(String) : Date",
        ValueFunction(lambda type_, text: read(text).date()),
        "The date that a text in ISO 8601 denotes.",
        ("Date.parse('2024-02-29').day", "29"),
    ),
    _adding("addDays", MICROSECONDS_PER_DAY, "2024-03-01 13:45:10"),
    _adding("addHours", 3_600 * MICROSECONDS_PER_SECOND, "2024-02-29 14:45:10"),
    _adding("addMinutes", 60 * MICROSECONDS_PER_SECOND, "2024-02-29 13:46:10"),
    _adding("addSeconds", MICROSECONDS_PER_SECOND, "2024-02-29 13:45:11"),
    _adding("addMilliseconds", MICROSECONDS_PER_SECOND // 1_000, "2024-02-29 13:45:10.001"),
    Operator(
        "DateTime.addMonths(Integer) : DateTime",
        ValueFunction(months_later),
        "The same day a number of months later, or the last day of that month.",
        (f"{EXAMPLE}.addMonths(12).day", "28"),
        ColumnTranslation(timestamp_arithmetic.months_later),
    ),
    Operator(
        "DateTime.addYears(Integer) : DateTime",
        ValueFunction(lambda value, years: months_later(value, years * 12)),
        "The same day a number of years later, or the last day of that month.",
        (f"{EXAMPLE}.addYears(4).year", "2028"),
        ColumnTranslation(timestamp_arithmetic.years_later),
    ),
    Operator(
        "DateTime.add(TimeSpan) : DateTime",
        ValueFunction(later),
        "As `+`.",
        (f"{EXAMPLE}.add(TimeSpan.fromHours(1)).hour", "14"),
        ColumnTranslation(timestamp_arithmetic.later),
    ),
    Operator(
        "DateTime.subtract(TimeSpan) : DateTime",
        ValueFunction(earlier),
        "As `-`.",
        (f"{EXAMPLE}.subtract(TimeSpan.fromHours(1)).hour", "12"),
        ColumnTranslation(timestamp_arithmetic.earlier),
    ),
    Operator(
        "DateTime.subtract(DateTime) : TimeSpan",
        ValueFunction(difference),
        "As `-`.",
        (f"{EXAMPLE}.subtract({EXAMPLE}).totalDays", "0.toReal"),
        ColumnTranslation(timestamp_arithmetic.difference),
    ),
    Operator(
        "DateTime.date : Date",
        ValueFunction(lambda value: as_timestamp(value).date()),
        "The date of the timestamp.",
        (f"{EXAMPLE}.date", "Date.parse('2024-02-29')"),
        ColumnTranslation(timestamp_arithmetic.date_of),
    ),
    Operator(
        "DateTime.timeOfDay : TimeSpan",
        ValueFunction(time_of_day),
        "The duration since midnight.",
        (f"{EXAMPLE}.timeOfDay.totalHours.floor", "13"),
        ColumnTranslation(timestamp_arithmetic.time_of_day),
    ),
    _reading("year", "The year.", 2024, ColumnTranslation(columns.part_of_timestamp("year"))),
    _reading("month", "The month, from 1.", 2, ColumnTranslation(columns.part_of_timestamp("month"))),
    _reading("day", "The day of the month.", 29, ColumnTranslation(columns.part_of_timestamp("day"))),
    _reading("hour", "The hour.", 13, ColumnTranslation(columns.part_of_timestamp("hour"))),
    _reading("minute", "The minute.", 45, ColumnTranslation(columns.part_of_timestamp("minute"))),
    _reading("second", "The second.", 10, ColumnTranslation(timestamp_arithmetic.second)),
    Operator(
        "DateTime.dayOfWeek : Integer",
        ValueFunction(lambda value: as_timestamp(value).isoweekday() % 7),
        "The day of the week, from 0 for Sunday.",
        (f"{EXAMPLE}.dayOfWeek", "4"),
        ColumnTranslation(timestamp_arithmetic.day_of_week),
    ),
    Operator(
        "DateTime.dayOfYear : Integer",
        ValueFunction(lambda value: as_timestamp(value).timetuple().tm_yday),
        "The day of the year, from 1.",
        (f"{EXAMPLE}.dayOfYear", "60"),
        ColumnTranslation(columns.part_of_timestamp("doy")),
    ),
    Operator(
        "DateTime.formatDateTime(String) : String",
        ValueFunction(formatted),
        "The timestamp in a format of .NET's: `yyyy-MM-dd HH:mm:ss`.",
        (f"{EXAMPLE}.formatDateTime('dd/MM yyyy HH:mm')", "'29/02 2024 13:45'"),
    ),
    Operator(
        "DateTime.toString(String) : String",
        ValueFunction(formatted),
        "As `formatDateTime`.",
        (f"{EXAMPLE}.toString('yyyyMMdd')", "'20240229'"),
    ),
)
