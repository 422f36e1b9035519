"""Timestamps and durations in calculations: whole microseconds, since the year 1 began or of a duration, on every
database.

So all arithmetic is that of whole numbers. Each text of a dialect mentions an operand once, since one that took it
twice would double with each operator around it.
"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Date, DateTime, Dialect, Interval
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.language.run.values import as_timestamp
from afterwork.language.sql.dialects import DialectFunction, SqlColumn

YEAR_1 = 62_135_596_800
"""Seconds from the beginning of the year 1 to that of 1970."""

IN_SQLITE = "(SELECT {seconds} * 1000000 + substr(substr(m, 21) || '000000', 1, 6) FROM (SELECT {{0}} AS m))"
"""A text of SQLite's as microseconds. The fraction is taken from the text: SQLite's own functions would round it."""


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


class microseconds_of(DialectFunction[int]):
    """A timestamp or a date as microseconds."""

    type = BigInteger()
    name = "afterwork_micros"
    postgresql = f"(CAST(extract(epoch FROM {{0}}) * 1000000 AS bigint) + {YEAR_1 * 1_000_000})"
    sqlite = IN_SQLITE.format(seconds=f"(strftime('%s', substr(m, 1, 19)) + {YEAR_1})")


class timestamp_of(DialectFunction[datetime]):
    """Microseconds as a timestamp. They lie in the years 1 to 9999, or are null."""

    type = TimestampType()
    name = "afterwork_moment_of"
    postgresql = (  # with mod, since a driver would take % for a parameter
        "(SELECT (timestamp '0001-01-01' + make_interval(days => CAST(m / 86400000000 AS integer))"
        " + mod(m, 86400000000) * interval '1 microsecond') AT TIME ZONE 'UTC' FROM (SELECT {0} AS m) AS it)"
    )
    sqlite = (
        f"(SELECT strftime('%Y-%m-%d %H:%M:%S', m / 1000000 - {YEAR_1}, 'unixepoch')"
        " || printf('.%06d', m % 1000000) FROM (SELECT {0} AS m))"
    )


class months_later(DialectFunction[datetime]):
    """A timestamp some months later, or the last day if the month is too short; null outside the supported years.

    SQLite's months run over into the next one, so the last day is computed there.
    """

    type = TimestampType()
    name = "afterwork_months_later"
    postgresql = (
        "(SELECT CASE WHEN extract(year FROM m) * 12 + extract(month FROM m) - 1 + n BETWEEN 12 AND 119999"
        " THEN (m + make_interval(months => CAST(n AS integer))) AT TIME ZONE 'UTC' END"
        " FROM (SELECT {0} AT TIME ZONE 'UTC' AS m, {1} AS n) AS it)"
    )
    sqlite = (
        "(SELECT CASE WHEN k BETWEEN 12 AND 119999"
        " THEN substr(f, 1, 8) || printf('%02d', min(CAST(substr(m, 9, 2) AS INTEGER),"
        " CAST(strftime('%d', f, '+1 month', '-1 day') AS INTEGER))) || substr(m, 11) END"
        " FROM (SELECT m, k, printf('%04d-%02d-01', k / 12, k % 12 + 1) AS f"
        " FROM (SELECT m, strftime('%Y', m) * 12 + strftime('%m', m) - 1 + n AS k"
        " FROM (SELECT {0} AS m, {1} AS n))))"
    )


class duration_of(DialectFunction[timedelta]):
    """The duration that a column of durations holds, as microseconds.

    SQLAlchemy stores it on SQLite as a timestamp that is as far from 1970.
    """

    type = DurationType()
    name = "afterwork_span_of"
    postgresql = "CAST(extract(epoch FROM {0}) * 1000000 AS bigint)"
    sqlite = IN_SQLITE.format(seconds="CAST(strftime('%s', substr(m, 1, 19)) AS INTEGER)")


class at_utc(DialectFunction[datetime]):
    """A timestamp without time zone, or a date, as a timestamp."""

    type = TimestampType()
    name = "afterwork_at_utc"
    postgresql = "(CAST({0} AS timestamp) AT TIME ZONE 'UTC')"
    sqlite = "(SELECT m || substr(' 00:00:00.000000', length(m) - 9) FROM (SELECT {0} AS m))"

    def in_sqlite(self, *operands: str) -> str:
        """Add a time of day to a date, as columns of timestamps have one: they are compared as texts."""
        return super().in_sqlite(*operands) if storage_form(self.clauses.clauses[0]) == "date" else operands[0]


class day_of(DialectFunction[date]):
    """The date of a timestamp, in UTC."""

    type = Date()
    name = "afterwork_day_of"
    postgresql = "CAST({0} AT TIME ZONE 'UTC' AS date)"
    sqlite = "substr({0}, 1, 10)"


class within_or_null(DialectFunction[int]):
    """A whole number between two others, or null: too large a number is never calculated with.

    Null becomes a number that is too small, and then null: PostgreSQL's functions ignore nulls.
    """

    type = BigInteger()
    name = "afterwork_within"
    postgresql = "nullif(nullif(least(greatest({0}, {1} - 1), {2} + 1), {1} - 1), {2} + 1)"
    sqlite = "nullif(nullif(min(max({0}, {1} - 1), {2} + 1), {1} - 1), {2} + 1)"


def storage_form(column: SqlColumn) -> str:
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


def calculable(column: SqlColumn) -> SqlColumn:
    """Return a timestamp or a duration in the form for calculations; any other column as it is."""
    match storage_form(column):
        case "interval":
            return duration_of(column)
        case "timestamp without time zone":
            return at_utc(column)
    return column


def as_timestamp_column(column: SqlColumn) -> SqlColumn:
    """Return a date as the timestamp at which it begins; a timestamp in the form for calculations."""
    return at_utc(column) if storage_form(column) == "date" else calculable(column)


def as_microseconds(column: SqlColumn) -> SqlColumn:
    """Return a timestamp, date or duration as a whole number, without converting a converted number back."""
    if isinstance(column, timestamp_of):
        (number,) = column.clauses
        return number
    return column if isinstance(column.type, DurationType) else microseconds_of(as_timestamp_column(column))
