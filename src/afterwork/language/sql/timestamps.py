"""Timestamps and durations in calculations: whole microseconds, since the year 1 began or of a duration, on every
database.

So all arithmetic is that of whole numbers. The dialects are below; each mentions an operand once, since a text that
took one twice would double with each operator around it.
"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, DateTime, Dialect, Interval
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.language.run.values import as_timestamp

Column = ColumnElement[Any]


class TimestampType(TypeDecorator[datetime]):
    """The type of a calculated timestamp: `timestamptz` on PostgreSQL, a text as in SQLAlchemy's columns on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        timestamp: datetime | None = as_timestamp(value)
        return timestamp


class DurationType(TypeDecorator[timedelta]):
    """The type of a calculated duration: whole microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        return None if value is None else value // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:
        return None if value is None else timedelta(microseconds=value)


class microseconds_of(GenericFunction[int]):
    """A timestamp or a date as microseconds."""

    type = BigInteger()
    name = "afterwork_micros"
    inherit_cache = True


class timestamp_of(GenericFunction[datetime]):
    """Microseconds as a timestamp. They lie in the years 1 to 9999, or are null."""

    type = TimestampType()
    name = "afterwork_moment_of"
    inherit_cache = True


class months_later(GenericFunction[datetime]):
    """A timestamp some months later, or the last day if the month is too short; null outside the supported years."""

    type = TimestampType()
    name = "afterwork_months_later"
    inherit_cache = True


class duration_of(GenericFunction[timedelta]):
    """The duration that a column of durations holds, as microseconds."""

    type = DurationType()
    name = "afterwork_span_of"
    inherit_cache = True


class at_utc(GenericFunction[datetime]):
    """A timestamp without time zone, or a date, as a timestamp."""

    type = TimestampType()
    name = "afterwork_at_utc"
    inherit_cache = True


class day_of(GenericFunction[date]):
    """The date of a timestamp, in UTC."""

    type = Date()
    name = "afterwork_day_of"
    inherit_cache = True


class within_or_null(GenericFunction[int]):
    """A whole number between two others, or null: too large a number is never calculated with."""

    type = BigInteger()
    name = "afterwork_within"
    inherit_cache = True


def storage_form(column: Column) -> str:
    """Return how the database stores a timestamp, a date or a duration: equal forms can be compared as they are."""
    stored = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    match column.type, stored:
        case (Interval(), _) | (_, Interval() | INTERVAL()):
            return "interval"
        case DurationType(), _:
            return "duration"
        case _, DateTime(timezone=zoned):
            return "timestamp" if zoned else "timestamp without time zone"
        case _, Date():
            return "date"
    return "other"


def calculable(column: Column) -> Column:
    """Return a timestamp or a duration in the form for calculations; any other column as it is."""
    match storage_form(column):
        case "interval":
            return duration_of(column)
        case "timestamp without time zone":
            return at_utc(column)
    return column


def as_timestamp_column(column: Column) -> Column:
    """Return a date as the timestamp at which it begins; a timestamp in the form for calculations."""
    return at_utc(column) if storage_form(column) == "date" else calculable(column)


def as_microseconds(column: Column) -> Column:
    """Return a timestamp, date or duration as a whole number, without converting a converted number back."""
    if isinstance(column, timestamp_of):
        (number,) = column.clauses
        return number
    return column if isinstance(column.type, DurationType) else microseconds_of(as_timestamp_column(column))


def _compiled(element: Any, compiler: SQLCompiler, **kw: Any) -> list[str]:
    return [compiler.process(clause, **kw) for clause in element.clauses]


YEAR_1 = 62_135_596_800
"""Seconds from the beginning of the year 1 to that of 1970."""


@compiles(microseconds_of)
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    (timestamp_text,) = _compiled(element, compiler, **kw)
    return f"(CAST(extract(epoch FROM {timestamp_text}) * 1000000 AS bigint) + {YEAR_1 * 1_000_000})"


@compiles(microseconds_of, "sqlite")
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    """Take the fraction from the text: SQLite's own functions would round it."""
    (timestamp_text,) = _compiled(element, compiler, **kw)
    seconds = f"(strftime('%s', substr(m, 1, 19)) + {YEAR_1})"
    return f"(SELECT {seconds} * 1000000 + substr(substr(m, 21) || '000000', 1, 6) FROM (SELECT {timestamp_text} AS m))"


@compiles(timestamp_of)
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    (number,) = _compiled(element, compiler, **kw)
    days = "make_interval(days => CAST(m / 86400000000 AS integer))"
    rest = "mod(m, 86400000000) * interval '1 microsecond'"  # a driver would take % for a parameter
    timestamp_text = f"(timestamp '0001-01-01' + {days} + {rest}) AT TIME ZONE 'UTC'"
    return f"(SELECT {timestamp_text} FROM (SELECT {number} AS m) AS it)"


@compiles(timestamp_of, "sqlite")
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    (number,) = _compiled(element, compiler, **kw)
    seconds = f"strftime('%Y-%m-%d %H:%M:%S', m / 1000000 - {YEAR_1}, 'unixepoch')"
    return f"(SELECT {seconds} || printf('.%06d', m % 1000000) FROM (SELECT {number} AS m))"


@compiles(months_later)
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    timestamp_text, months = _compiled(element, compiler, **kw)
    month = "extract(year FROM m) * 12 + extract(month FROM m) - 1 + n"
    later = "(m + make_interval(months => CAST(n AS integer))) AT TIME ZONE 'UTC'"
    given = f"(SELECT {timestamp_text} AT TIME ZONE 'UTC' AS m, {months} AS n) AS it"
    return f"(SELECT CASE WHEN {month} BETWEEN 12 AND 119999 THEN {later} END FROM {given})"


@compiles(months_later, "sqlite")
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    """Compute the last day of the month, as SQLite's months run over into the next one."""
    timestamp_text, months = _compiled(element, compiler, **kw)
    month = "strftime('%Y', m) * 12 + strftime('%m', m) - 1 + n"
    first = "printf('%04d-%02d-01', k / 12, k % 12 + 1)"
    day = f"min(CAST(substr(m, 9, 2) AS INTEGER), CAST(strftime('%d', {first}, '+1 month', '-1 day') AS INTEGER))"
    later = f"substr({first}, 1, 8) || printf('%02d', {day}) || substr(m, 11)"
    given = f"(SELECT m, {month} AS k FROM (SELECT {timestamp_text} AS m, {months} AS n))"
    return f"(SELECT CASE WHEN k BETWEEN 12 AND 119999 THEN {later} END FROM {given})"


@compiles(duration_of)
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST(extract(epoch FROM {}) * 1000000 AS bigint)".format(*_compiled(element, compiler, **kw))


@compiles(duration_of, "sqlite")
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    """Read the duration from a timestamp: SQLAlchemy stores it as one that is as far from 1970."""
    (duration_text,) = _compiled(element, compiler, **kw)
    seconds = "CAST(strftime('%s', substr(m, 1, 19)) AS INTEGER)"
    return f"(SELECT {seconds} * 1000000 + substr(substr(m, 21) || '000000', 1, 6) FROM (SELECT {duration_text} AS m))"


@compiles(at_utc)
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    return "(CAST({} AS timestamp) AT TIME ZONE 'UTC')".format(*_compiled(element, compiler, **kw))


@compiles(at_utc, "sqlite")
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    """Add a time of day to a date, as columns of timestamps have one: they are compared as texts."""
    (timestamp_text,) = _compiled(element, compiler, **kw)
    if storage_form(element.clauses.clauses[0]) != "date":
        return timestamp_text
    return f"(SELECT m || substr(' 00:00:00.000000', length(m) - 9) FROM (SELECT {timestamp_text} AS m))"


@compiles(day_of)
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST({} AT TIME ZONE 'UTC' AS date)".format(*_compiled(element, compiler, **kw))


@compiles(day_of, "sqlite")
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    return "substr({}, 1, 10)".format(*_compiled(element, compiler, **kw))


@compiles(within_or_null)
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    """Turn null into a number that is too small, which becomes null: PostgreSQL's functions ignore nulls."""
    number, low, high = _compiled(element, compiler, **kw)
    return f"nullif(nullif(least(greatest({number}, {low} - 1), {high} + 1), {low} - 1), {high} + 1)"


@compiles(within_or_null, "sqlite")
def _(element: Column, compiler: SQLCompiler, **kw: Any) -> str:
    number, low, high = _compiled(element, compiler, **kw)
    return f"nullif(nullif(min(max({number}, {low} - 1), {high} + 1), {low} - 1), {high} + 1)"
