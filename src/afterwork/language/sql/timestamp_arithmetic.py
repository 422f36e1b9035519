"""The SQL of what is calculated with moments and spans, as `language/run/timestamps.py` calculates it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, Double, Integer, literal, literal_column

from afterwork.language.run.timestamps import MAX_DURATION_MICROSECONDS, MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from afterwork.language.sql import columns
from afterwork.language.sql.rowset import Term
from afterwork.language.sql.timestamps import (
    Column,
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
"""More months than there are."""


def _number(number: int) -> Column:
    return literal_column(str(number), BigInteger)


def _calculated(operator: str, one: Column, other: Column, kind: Any = BigInteger) -> Column:
    return one.op(operator, return_type=kind())(other).self_group()


def _in_years(number: Column) -> Column:
    return timestamp_of(within_or_null(number, _number(0), _number(LAST_MICROSECOND)))


def _span(number: Column) -> Column:
    return within_or_null(
        number, _number(-MAX_DURATION_MICROSECONDS), _number(MAX_DURATION_MICROSECONDS), type_=DurationType()
    )


def _microseconds(count: Column, unit: int) -> Column:
    most = MAX_DURATION_MICROSECONDS // unit
    if isinstance(count.type, Integer):
        return _calculated("*", within_or_null(columns.wide(count), _number(-most), _number(most)), _number(unit))
    some = within_or_null(columns.as_float(count), _number(-most), _number(most), type_=Double())
    return columns.nearest(_calculated("*", some, literal(float(unit), Double), Double))


def adding(unit: int) -> Callable[[Column, Column], Column]:
    """A moment so many units later."""
    return lambda moment, count: _in_years(_calculated("+", as_microseconds(moment), _microseconds(count, unit)))


def later(moment: Column, span: Column) -> Column:
    return _in_years(_calculated("+", as_microseconds(moment), as_microseconds(span)))


def earlier(moment: Column, span: Column) -> Column:
    return _in_years(_calculated("-", as_microseconds(moment), as_microseconds(span)))


def between(one: Column, other: Column) -> Column:
    return _calculated("-", as_microseconds(one), as_microseconds(other), DurationType)


def longer(one: Column, other: Column) -> Column:
    return _span(_calculated("+", as_microseconds(one), as_microseconds(other)))


def shorter(one: Column, other: Column) -> Column:
    return _span(_calculated("-", as_microseconds(one), as_microseconds(other)))


def months_later(moment: Column, months: Column) -> Column:
    return _months_later(moment, months, 1)


def years_later(moment: Column, years: Column) -> Column:
    return _months_later(moment, years, 12)


def _months_later(moment: Column, count: Column, months: int) -> Column:
    most = _number(MAX_MONTHS // months)
    number = within_or_null(columns.wide(count), _number(-MAX_MONTHS // months), most)
    return months_later_of(as_timestamp_column(moment), _calculated("*", number, _number(months)))


def date_of(moment: Column) -> Column:
    return day_of(as_timestamp_column(moment))


def time_of_day(moment: Column) -> Column:
    return _calculated("%", as_microseconds(moment), _number(MICROSECONDS_PER_DAY), DurationType)


def second(moment: Column) -> Column:
    return _calculated("%", _calculated("/", as_microseconds(moment), _number(MICROSECONDS_PER_SECOND)), _number(60))


def day_of_week(moment: Column) -> Column:
    """The year 1 began on a Monday."""
    return _calculated(
        "%",
        _calculated("+", _calculated("/", as_microseconds(moment), _number(MICROSECONDS_PER_DAY)), _number(1)),
        _number(7),
    )


def spanning(unit: int) -> Callable[[Translator, OperatorCall], Term]:
    """A span of so many units; the first operand is the type."""

    def spanning(translator: Translator, call: OperatorCall) -> Term:
        count = translator.column(call.arguments[1])
        return Term(_span(_microseconds(count, unit)), types.TIMESPAN)

    return spanning


def total(unit: int) -> Callable[[Column], Column]:
    """A span in units."""
    return lambda span: columns.divide_floats(as_microseconds(span), literal(float(unit), Double))
