"""Moments, dates and spans. Moments are in UTC; one without a time zone is meant in UTC."""

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from afterwork.clock import passed
from afterwork.language.operator import Columns, InRun, Operator, Plain
from afterwork.language.sql import columns
from afterwork.language.values import moment

DOTNET = {
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
"""The parts of .NET's formats, as Python writes them."""

FORMAT = re.compile("|".join(sorted(DOTNET, key=len, reverse=True)))
MICROSECONDS, MILLISECONDS = 6, 3


def formatted(value: date, pattern: str) -> str:
    """As .NET formats it."""
    found: datetime = moment(value)

    def part(match: re.Match[str]) -> str:
        written = found.strftime(DOTNET[match[0]])
        return written[:MILLISECONDS] if match[0] == "fff" else written

    return FORMAT.sub(part, pattern)


def months_later(value: date, months: int) -> datetime:
    """The same day of another month, or its last one."""
    found: datetime = moment(value)
    year, month = divmod(found.year * 12 + found.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return found.replace(year=year, month=month + 1, day=min(found.day, last))


def read(text: str) -> datetime:
    return moment(datetime.fromisoformat(text.strip()))  # type: ignore[no-any-return]


def read_or_null(text: str) -> datetime | None:
    try:
        return read(text)
    except ValueError:
        return None


def _later(unit: str) -> Plain:
    return Plain(lambda value, count: moment(value) + timedelta(**{unit: float(count)}))


def _part(name: str) -> Plain:
    return Plain(lambda value: getattr(moment(value), name))


def _span(unit: str) -> Plain:
    return Plain(lambda kind, count: timedelta(**{unit: float(count)}))


def _total(seconds: int) -> Plain:
    return Plain(lambda span: span / timedelta(seconds=seconds))


def _difference(one: Any, other: Any) -> timedelta:
    return moment(one) - moment(other)  # type: ignore[no-any-return]


AT = "DateTime.parse('2024-02-29 13:45:10')"


def _adding(name: str, unit: str, example: str) -> Operator:
    doc = f"So many {unit} later; a negative number is earlier."
    return Operator(
        f"DateTime.{name}(N) : DateTime", _later(unit), doc, (f"{AT}.{name}(1)", f"DateTime.parse('{example}')")
    )


def _reading(name: str, attribute: str, doc: str, example: int, sql: Columns | None) -> Operator:
    return Operator(f"DateTime.{name} : Integer", _part(attribute), doc, (f"{AT}.{name}", str(example)), sql)


def _spanning(name: str, unit: str, seconds: int) -> tuple[Operator, Operator]:
    example = f"TimeSpan.from{name}(2)"
    return (
        Operator(
            f"Type(TimeSpan).from{name}(N) : TimeSpan",
            _span(unit),
            f"A span of so many {unit}.",
            (f"{example}.total{name}", "2.toReal"),
        ),
        Operator(
            f"TimeSpan.total{name} : Real",
            _total(seconds),
            f"The whole span in {unit}.",
            (f"{example}.total{name}", "2.toReal"),
        ),
    )


ROWS = (
    Operator(
        "DateTime + TimeSpan : DateTime",
        Plain(lambda one, span: moment(one) + span),
        "The moment that lies a span later.",
        (f"{AT} + TimeSpan.fromHours(1)", "DateTime.parse('2024-02-29 14:45:10')"),
    ),
    Operator(
        "DateTime - TimeSpan : DateTime",
        Plain(lambda one, span: moment(one) - span),
        "The moment that lies a span earlier.",
        (f"{AT} - TimeSpan.fromHours(1)", "DateTime.parse('2024-02-29 12:45:10')"),
    ),
    Operator(
        "DateTime - DateTime : TimeSpan",
        Plain(_difference),
        "The span between two moments.",
        (f"({AT} - {AT}.date).totalHours.floor", "13"),
    ),
    Operator(
        "TimeSpan + TimeSpan : TimeSpan",
        Plain(lambda one, other: one + other),
        "Both spans.",
        ("(TimeSpan.fromHours(1) + TimeSpan.fromHours(2)).totalHours", "3.toReal"),
    ),
    Operator(
        "TimeSpan - TimeSpan : TimeSpan",
        Plain(lambda one, other: one - other),
        "What is left of a span.",
        ("(TimeSpan.fromHours(3) - TimeSpan.fromHours(2)).totalHours", "1.toReal"),
    ),
    Operator(
        "Type(DateTime).now : DateTime",
        InRun(lambda run, kind: run.now),
        "The moment; it stands still while an expression is evaluated.",
        ("DateTime.now = DateTime.now", "true"),
    ),
    Operator(
        "Type(DateTime).utcNow : DateTime",
        InRun(lambda run, kind: run.now),
        "As `now`: all moments are in UTC.",
        ("DateTime.utcNow = DateTime.now", "true"),
    ),
    Operator(
        "Type(DateTime).today : Date",
        InRun(lambda run, kind: moment(run.now).date()),
        "The date, in UTC.",
        ("DateTime.today = DateTime.now.date", "true"),
    ),
    Operator(
        "Type(Date).today : Date",
        InRun(lambda run, kind: moment(run.now).date()),
        "The date, in UTC.",
        ("Date.today = DateTime.today", "true"),
    ),
    Operator(
        "DateTime.passed : Boolean",
        InRun(lambda run, value: passed(moment(value), run.names.clock)),
        "Whether a moment has passed. What is calculated with it is calculated again at that moment.",
        ("DateTime.parse('2024-02-29').passed", "true"),
    ),
    Operator(
        "Type(DateTime).parse(String) : DateTime",
        Plain(lambda kind, text: read(text)),
        "The moment that a text in ISO 8601 names. Another text is an error.",
        ("DateTime.parse('2024-02-29').year", "2024"),
    ),
    Operator(
        "Type(DateTime).tryParse(String) : DateTime",
        Plain(lambda kind, text: read_or_null(text)),
        "As `parse`, but another text gives null.",
        ("DateTime.tryParse('soon')", "null"),
    ),
    Operator(
        "Type(Date).parse(String) : Date",
        Plain(lambda kind, text: read(text).date()),
        "The date that a text in ISO 8601 names.",
        ("Date.parse('2024-02-29').day", "29"),
    ),
    _adding("addDays", "days", "2024-03-01 13:45:10"),
    _adding("addHours", "hours", "2024-02-29 14:45:10"),
    _adding("addMinutes", "minutes", "2024-02-29 13:46:10"),
    _adding("addSeconds", "seconds", "2024-02-29 13:45:11"),
    _adding("addMilliseconds", "milliseconds", "2024-02-29 13:45:10.001"),
    Operator(
        "DateTime.addMonths(Integer) : DateTime",
        Plain(months_later),
        "The same day so many months later, or the last one of that month.",
        (f"{AT}.addMonths(12).day", "28"),
    ),
    Operator(
        "DateTime.addYears(Integer) : DateTime",
        Plain(lambda value, years: months_later(value, years * 12)),
        "The same day so many years later.",
        (f"{AT}.addYears(4).year", "2028"),
    ),
    Operator(
        "DateTime.add(TimeSpan) : DateTime",
        Plain(lambda one, span: moment(one) + span),
        "As `+`.",
        (f"{AT}.add(TimeSpan.fromHours(1)).hour", "14"),
    ),
    Operator(
        "DateTime.subtract(TimeSpan) : DateTime",
        Plain(lambda one, span: moment(one) - span),
        "As `-`.",
        (f"{AT}.subtract(TimeSpan.fromHours(1)).hour", "12"),
    ),
    Operator(
        "DateTime.subtract(DateTime) : TimeSpan",
        Plain(_difference),
        "As `-`.",
        (f"{AT}.subtract({AT}).totalDays", "0.toReal"),
    ),
    Operator(
        "DateTime.date : Date",
        Plain(lambda value: moment(value).date()),
        "The date of a moment.",
        (f"{AT}.date", "Date.parse('2024-02-29')"),
    ),
    Operator(
        "DateTime.timeOfDay : TimeSpan",
        Plain(lambda value: moment(value) - datetime.combine(moment(value).date(), time(), UTC)),
        "The span since midnight.",
        (f"{AT}.timeOfDay.totalHours.floor", "13"),
    ),
    _reading("year", "year", "The year.", 2024, Columns(columns.part_of_moment("year"))),
    _reading("month", "month", "The month, from 1.", 2, Columns(columns.part_of_moment("month"))),
    _reading("day", "day", "The day of the month.", 29, Columns(columns.part_of_moment("day"))),
    _reading("hour", "hour", "The hour.", 13, Columns(columns.part_of_moment("hour"))),
    _reading("minute", "minute", "The minute.", 45, Columns(columns.part_of_moment("minute"))),
    _reading("second", "second", "The second.", 10, None),
    Operator(
        "DateTime.dayOfWeek : Integer",
        Plain(lambda value: moment(value).isoweekday() % 7),
        "The day of the week, from Sunday, which is 0.",
        (f"{AT}.dayOfWeek", "4"),
    ),
    Operator(
        "DateTime.dayOfYear : Integer",
        Plain(lambda value: moment(value).timetuple().tm_yday),
        "The day of the year, from 1.",
        (f"{AT}.dayOfYear", "60"),
    ),
    Operator(
        "DateTime.formatDateTime(String) : String",
        Plain(formatted),
        "As .NET's formats write it: `yyyy-MM-dd HH:mm:ss`.",
        (f"{AT}.formatDateTime('dd/MM yyyy HH:mm')", "'29/02 2024 13:45'"),
    ),
    Operator(
        "DateTime.toString(String) : String",
        Plain(formatted),
        "As `formatDateTime`.",
        (f"{AT}.toString('yyyyMMdd')", "'20240229'"),
    ),
    *_spanning("Days", "days", 86_400),
    *_spanning("Hours", "hours", 3_600),
    *_spanning("Minutes", "minutes", 60),
    *_spanning("Seconds", "seconds", 1),
)
