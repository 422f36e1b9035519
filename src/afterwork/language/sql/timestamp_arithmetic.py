"""The SQL of what is calculated with moments and spans, as `language/run/timestamps.py` calculates it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, Double, Integer, literal, literal_column

from afterwork.language.run.timestamps import DAY, LONGEST, SECOND
from afterwork.language.sql import columns
from afterwork.language.sql.rowset import Term
from afterwork.language.sql.timestamps import Column, Span, as_micros, as_moment, day_of, moment_of, within
from afterwork.language.sql.timestamps import months_later as months_later_of
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Call

LAST = 3_652_059 * DAY - 1
"""The last microsecond of the year 9999, since the year 1 began."""

MOST_MONTHS = 120_000
"""More months than there are."""


def _number(number: int) -> Column:
    return literal_column(str(number), BigInteger)


def _calculated(operator: str, one: Column, other: Column, kind: Any = BigInteger) -> Column:
    return one.op(operator, return_type=kind())(other).self_group()


def _in_years(number: Column) -> Column:
    return moment_of(within(number, _number(0), _number(LAST)))


def _span(number: Column) -> Column:
    return within(number, _number(-LONGEST), _number(LONGEST), type_=Span())


def _microseconds(count: Column, unit: int) -> Column:
    most = LONGEST // unit
    if isinstance(count.type, Integer):
        return _calculated("*", within(columns.wide(count), _number(-most), _number(most)), _number(unit))
    some = within(columns.as_float(count), _number(-most), _number(most), type_=Double())
    return columns.nearest(_calculated("*", some, literal(float(unit), Double), Double))


def adding(unit: int) -> Callable[[Column, Column], Column]:
    """A moment so many units later."""
    return lambda moment, count: _in_years(_calculated("+", as_micros(moment), _microseconds(count, unit)))


def later(moment: Column, span: Column) -> Column:
    return _in_years(_calculated("+", as_micros(moment), as_micros(span)))


def earlier(moment: Column, span: Column) -> Column:
    return _in_years(_calculated("-", as_micros(moment), as_micros(span)))


def between(one: Column, other: Column) -> Column:
    return _calculated("-", as_micros(one), as_micros(other), Span)


def longer(one: Column, other: Column) -> Column:
    return _span(_calculated("+", as_micros(one), as_micros(other)))


def shorter(one: Column, other: Column) -> Column:
    return _span(_calculated("-", as_micros(one), as_micros(other)))


def months_later(moment: Column, months: Column) -> Column:
    return _months_later(moment, months, 1)


def years_later(moment: Column, years: Column) -> Column:
    return _months_later(moment, years, 12)


def _months_later(moment: Column, count: Column, months: int) -> Column:
    most = _number(MOST_MONTHS // months)
    number = within(columns.wide(count), _number(-MOST_MONTHS // months), most)
    return months_later_of(as_moment(moment), _calculated("*", number, _number(months)))


def date_of(moment: Column) -> Column:
    return day_of(as_moment(moment))


def time_of_day(moment: Column) -> Column:
    return _calculated("%", as_micros(moment), _number(DAY), Span)


def second(moment: Column) -> Column:
    return _calculated("%", _calculated("/", as_micros(moment), _number(SECOND)), _number(60))


def day_of_week(moment: Column) -> Column:
    """The year 1 began on a Monday."""
    return _calculated("%", _calculated("+", _calculated("/", as_micros(moment), _number(DAY)), _number(1)), _number(7))


def spanning(unit: int) -> Callable[[Translator, Call], Term]:
    """A span of so many units; the first operand is the type."""

    def spanning(translator: Translator, call: Call) -> Term:
        count = translator.column(call.arguments[1])
        return Term(_span(_microseconds(count, unit)), types.TIMESPAN)

    return spanning


def total(unit: int) -> Callable[[Column], Column]:
    """A span in units."""
    return lambda span: columns.divide_floats(as_micros(span), literal(float(unit), Double))
