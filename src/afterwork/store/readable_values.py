"""Read what others may have written: timestamps beyond the calendar, and on SQLite values of any kind.

One value that the driver can't return would hide all rows of its statement. So such a timestamp is read as the first or
the last of the calendar, which sorts as early or as late, and a text as well as possible.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    Integer,
    String,
    and_,
    case,
    cast,
    func,
    literal_column,
    or_,
    type_coerce,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.model.column_types import has_zone
from afterwork.model.utc_datetime import UtcDateTime

FIRST_TIMESTAMP = datetime(1, 1, 2, tzinfo=UTC)
"""The earliest timestamp that is read. It fits into the calendar in any time zone of a connection."""

NOT_UTF_8 = "is no UTF-8, so no run can name it"
"""The Error of a ticket with such a key or lane."""

DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
DAY_AND_TIME = "??????????[ T][0-2][0-9]:[0-5][0-9]*"


class UndecodableText(str):
    """A text that is not UTF-8, with its invalid bytes escaped. Its row can be found by `raw` alone."""

    __slots__ = ("raw",)
    raw: bytes


class _AnyTimestamp(TypeDecorator[datetime]):
    """A timestamp on SQLite, where its column may hold any value. Other values are read as `FIRST_TIMESTAMP`."""

    impl = String
    cache_ok = True

    def __init__(self, kind: TypeEngine[Any]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        write = self.kind.dialect_impl(dialect).bind_processor(dialect)
        return value if write is None else write(value)

    def coerce_compared_value(self, op: Any, value: Any) -> "_AnyTimestamp":
        return self

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        # Not `process_result_value`: each claimed ticket has several timestamps, most of them null.
        read = self.kind.dialect_impl(dialect).result_processor(dialect, coltype)

        def read_any(value: Any) -> datetime | None:
            if value is None:
                return None
            try:
                timestamp = value if read is None else read(value)
            except (TypeError, ValueError, OverflowError):
                return FIRST_TIMESTAMP
            if not isinstance(timestamp, datetime):
                return FIRST_TIMESTAMP
            return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)

        return read_any


def readable_timestamp(timestamp: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """Return a column of timestamps in a form that the driver can always return."""
    if dialect == "sqlite":
        return type_coerce(timestamp, _AnyTimestamp(timestamp.type))
    first, last = (_constant(timestamp, text) for text in ("0001-01-02", "9999-12-30"))
    return case((timestamp < first, first), (timestamp > last, last), else_=timestamp)


def readable_columns(table: FromClause, dialect: str) -> list[ColumnElement[Any]]:
    """Return the columns of a table, its timestamps in a form that the driver can always return."""
    return [
        readable_timestamp(column, dialect).label(column.name) if isinstance(column.type, UtcDateTime) else column
        for column in table.columns
    ]


def in_calendar(timestamp: ColumnElement[Any], dialect: str) -> ColumnElement[bool]:
    """Return the condition that a column holds a timestamp of this calendar. It can be part of an index."""
    if dialect != "sqlite":
        return and_(timestamp >= _constant(timestamp, "0001-01-02"), timestamp < _constant(timestamp, "9999-12-30"))
    # Without SQLite's functions of date and time: with "now" in such a column, they would fail in an index.
    month, day, hour = (func.substr(timestamp, literal_column(str(at)), literal_column("2")) for at in (6, 9, 12))
    short = month.in_([literal_column(f"'{number}'") for number in ("04", "06", "09", "11")])
    last = case((short, _text("30")), (month == _text("02"), _last_of_february(timestamp)), else_=_text("31"))
    return and_(
        timestamp.bool_op("GLOB")(_text(DAY)),
        month.between(_text("01"), _text("12")),
        day.between(_text("01"), last),
        or_(
            func.length(timestamp) == literal_column("10"),
            and_(timestamp.bool_op("GLOB")(_text(DAY_AND_TIME)), hour <= _text("23"), _is_rest_of_time(timestamp)),
        ),
    )


def _last_of_february(timestamp: ColumnElement[Any]) -> ColumnElement[str]:
    year = cast(func.substr(timestamp, literal_column("1"), literal_column("4")), Integer)
    hundred = year % literal_column("100") == literal_column("0")
    leaps = case((hundred, year % literal_column("400")), else_=year % literal_column("4")) == literal_column("0")
    return case((leaps, _text("29")), else_=_text("28"))


def _is_rest_of_time(timestamp: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that at most seconds, with a fraction, and a time zone follow the hour and minute."""
    rest = func.substr(timestamp, literal_column("17"))
    zone = func.ltrim(rest, _text(":.0123456789"))
    time = func.substr(rest, literal_column("1"), func.length(rest) - func.length(zone))
    fraction = func.substr(time, literal_column("5"))
    seconds = or_(time.bool_op("GLOB")(_text(":[0-5][0-9]")), time.bool_op("GLOB")(_text(":[0-5][0-9].[0-9]*")))
    is_time = or_(time == _text(""), and_(seconds, ~fraction.bool_op("GLOB")(_text("*[^0-9]*"))))
    is_zone = or_(zone.in_([_text(""), _text("Z")]), zone.bool_op("GLOB")(_text("[+-][0-2][0-9]:[0-5][0-9]")))
    return and_(is_time, is_zone)


def _text(value: str) -> ColumnElement[str]:
    return literal_column(f"'{value}'", String())


def _constant(timestamp: ColumnElement[Any], day: str) -> ColumnElement[Any]:
    zone = "+00" if has_zone(timestamp) else ""
    return literal_column(f"TIMESTAMP{'TZ' if zone else ''} '{day} 00:00:00{zone}'", timestamp.type)


@contextmanager
def reading_any_text(connection: Connection) -> Iterator[None]:
    """Within the block, also read texts that are not UTF-8, which SQLite stores."""
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = getattr(driver, "driver_connection", driver)  # that below an async one
    before, driver.text_factory = driver.text_factory, _decoded
    try:
        yield
    finally:
        driver.text_factory = before


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        damaged = UndecodableText(value.decode(errors="backslashreplace"))
        damaged.raw = value
        return damaged
