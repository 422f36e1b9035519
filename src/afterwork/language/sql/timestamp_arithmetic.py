"""The SQL of arithmetic with timestamps and durations, as `run/timestamps.py` evaluates it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, Double, Integer, literal, literal_column

from afterwork.language.run.timestamps import MAX_DURATION_MICROSECONDS, MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from afterwork.language.sql import columns
from afterwork.language.sql.dialects import SqlColumn
from afterwork.language.sql.rowset import Term
from afterwork.language.sql.timestamps import (
    DurationType,
    as_microseconds,
    as_timestamp_column,
    day_of,
    timestamp_of,
    within_or_null,
)
from afterwork.language.sql.timestamps import months_later as months_later_of
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import OperatorCall

LAST_MICROSECOND = 3_652_059 * MICROSECONDS_PER_DAY - 1
"""The last microsecond of the year 9999, since the year 1 began."""

MAX_MONTHS = 120_000
"""More months than the years 1 to 9999 have."""


def _number(number: int) -> SqlColumn:
    return literal_column(str(number), BigInteger)


def _arithmetic(operator: str, left: SqlColumn, right: SqlColumn, return_type: Any = BigInteger) -> SqlColumn:
    return left.op(operator, return_type=return_type())(right).self_group()


def _in_years(number: SqlColumn) -> SqlColumn:
    return timestamp_of(within_or_null(number, _number(0), _number(LAST_MICROSECOND)))


def _bounded_duration(number: SqlColumn) -> SqlColumn:
    return within_or_null(
        number, _number(-MAX_DURATION_MICROSECONDS), _number(MAX_DURATION_MICROSECONDS), type_=DurationType()
    )


def _microseconds(count: SqlColumn, unit: int) -> SqlColumn:
    limit = MAX_DURATION_MICROSECONDS // unit
    if isinstance(count.type, Integer):
        return _arithmetic("*", within_or_null(columns.wide(count), _number(-limit), _number(limit)), _number(unit))
    bounded = within_or_null(columns.as_float(count), _number(-limit), _number(limit), type_=Double())
    return columns.nearest(_arithmetic("*", bounded, literal(float(unit), Double), Double))


def adding(unit: int) -> Callable[[SqlColumn, SqlColumn], SqlColumn]:
    """Return a function that adds a number of units to a timestamp."""
    return lambda timestamp, count: _in_years(_arithmetic("+", as_microseconds(timestamp), _microseconds(count, unit)))


def later(timestamp: SqlColumn, duration: SqlColumn) -> SqlColumn:
    return _in_years(_arithmetic("+", as_microseconds(timestamp), as_microseconds(duration)))


def earlier(timestamp: SqlColumn, duration: SqlColumn) -> SqlColumn:
    return _in_years(_arithmetic("-", as_microseconds(timestamp), as_microseconds(duration)))


def difference(end: SqlColumn, start: SqlColumn) -> SqlColumn:
    return _arithmetic("-", as_microseconds(end), as_microseconds(start), DurationType)


def sum_of_durations(left: SqlColumn, right: SqlColumn) -> SqlColumn:
    return _bounded_duration(_arithmetic("+", as_microseconds(left), as_microseconds(right)))


def difference_of_durations(left: SqlColumn, right: SqlColumn) -> SqlColumn:
    return _bounded_duration(_arithmetic("-", as_microseconds(left), as_microseconds(right)))


def months_later(timestamp: SqlColumn, count: SqlColumn, months: int = 1) -> SqlColumn:
    limit = _number(MAX_MONTHS // months)
    number = within_or_null(columns.wide(count), _number(-MAX_MONTHS // months), limit)
    return months_later_of(as_timestamp_column(timestamp), _arithmetic("*", number, _number(months)))


def date_of(timestamp: SqlColumn) -> SqlColumn:
    return day_of(as_timestamp_column(timestamp))


def time_of_day(timestamp: SqlColumn) -> SqlColumn:
    return _arithmetic("%", as_microseconds(timestamp), _number(MICROSECONDS_PER_DAY), DurationType)


def second(timestamp: SqlColumn) -> SqlColumn:
    return _arithmetic("%", _arithmetic("/", as_microseconds(timestamp), _number(MICROSECONDS_PER_SECOND)), _number(60))


def day_of_week(timestamp: SqlColumn) -> SqlColumn:
    """Return the day of the week; the year 1 began on a Monday."""
    return _arithmetic(
        "%",
        _arithmetic("+", _arithmetic("/", as_microseconds(timestamp), _number(MICROSECONDS_PER_DAY)), _number(1)),
        _number(7),
    )


def from_units(unit: int) -> Callable[[Translator, OperatorCall], Term]:
    """Return a function that translates a duration of a number of units; the first operand is the type."""

    def from_units(translator: Translator, call: OperatorCall) -> Term:
        count = translator.column(call.arguments[1])
        return Term(_bounded_duration(_microseconds(count, unit)), types.TIMESPAN)

    return from_units


def in_units(unit: int) -> Callable[[SqlColumn], SqlColumn]:
    """Return a function that converts a duration to units."""
    return lambda duration: columns.divide_floats(as_microseconds(duration), literal(float(unit), Double))
