"""The SQL of operators on single values: column expressions of column expressions."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, Integer, String, and_, case, cast, extract, func, not_, or_
from sqlalchemy.types import TypeEngine

from afterwork.language.sql import dialects

Column = ColumnElement[Any]


def wide(column: Column) -> Column:
    """A whole number with 64 bits: PostgreSQL would calculate with fewer."""
    return cast(column, BigInteger) if isinstance(column.type, Integer) else column


def _kind(one: Column, other: Column) -> TypeEngine[Any]:
    """The type of what two numbers make."""
    if isinstance(one.type, Double) or isinstance(other.type, Double):
        return Double()
    return (
        BigInteger() if isinstance(one.type, Integer) and isinstance(other.type, Integer) else dialects.ExactDecimal()
    )


def _calculated(operator: str) -> Callable[[Column, Column], Column]:
    def calculated(one: Column, other: Column) -> Column:
        kind = _kind(one, other)
        left, right = wide(one), wide(other)
        if isinstance(kind, Double):
            left, right = as_float(one), as_float(other)
        return left.op(operator, return_type=kind)(right).self_group()

    return calculated


add, subtract, multiply = _calculated("+"), _calculated("-"), _calculated("*")


def as_float(column: Column) -> Column:
    return cast(column, Double)


def divide_floats(one: Column, other: Column) -> Column:
    return as_float(one).op("/", return_type=Double())(func.nullif(as_float(other), 0.0)).self_group()


def divide_decimals(one: Column, other: Column) -> Column:
    return dialects.quotient(one, other)


def whole_quotient(one: Column, other: Column) -> Column:
    return wide(one).op("/", return_type=BigInteger())(func.nullif(wide(other), 0)).self_group()


def remainder(one: Column, other: Column) -> Column:
    return wide(one).op("%", return_type=BigInteger())(func.nullif(wide(other), 0)).self_group()


def negative(column: Column) -> Column:
    return (-wide(column)).self_group()


def absolute(column: Column) -> Column:
    return func.abs(wide(column), type_=column.type)


def floor(column: Column) -> Column:
    return wide(column) if isinstance(column.type, Integer) else dialects.floored(column)


def ceiling(column: Column) -> Column:
    return wide(column) if isinstance(column.type, Integer) else negative(dialects.floored(-column))


def nearest(column: Column) -> Column:
    if isinstance(column.type, Integer):
        return wide(column)
    return dialects.floored(column.op("+", return_type=column.type)(0.5).self_group())


def larger(one: Column, other: Column) -> Column:
    return case((or_(one.is_(None), other.is_(None)), None), (one >= other, one), else_=other)


def smaller(one: Column, other: Column) -> Column:
    return case((or_(one.is_(None), other.is_(None)), None), (one <= other, one), else_=other)


def text(column: Column) -> Column:
    """PostgreSQL wants to know that a parameter is a text."""
    return cast(column, String) if not isinstance(column.type, String) else column


def concatenated(one: Column, other: Column) -> Column:
    return (func.coalesce(one, "", type_=String()) + func.coalesce(other, "", type_=String())).self_group()


def joined(one: Column, other: Column) -> Column:
    """As `concatenated`, but null where one is null."""
    return one.op("||", return_type=String())(other).self_group()


def length(column: Column) -> Column:
    return func.length(text(column), type_=Integer())


def null_or_empty(column: Column) -> Column:
    return func.coalesce(column, "", type_=String()) == ""


def part(column: Column, first: Column, last: Column) -> Column:
    """From place to place: both databases take a start and a length, and differ for those below 1."""
    start = case((first < 1, 1), else_=cast(first, Integer))
    count = case((last < start, 0), else_=cast(last, Integer).op("-", return_type=Integer())(start) + 1)
    return func.substr(column, start, count, type_=String())


def starts_with(column: Column, part: Column) -> Column:
    return func.substr(column, 1, func.length(part)) == part


def ends_with(column: Column, part: Column) -> Column:
    start = func.length(column, type_=Integer()) - func.length(part, type_=Integer()) + 1
    return and_(start >= 1, func.substr(column, start) == part)


def contains(column: Column, part: Column) -> Column:
    return dialects.position_of(column, part) > 0


def place_of(column: Column, part: Column) -> Column:
    return cast(dialects.position_of(column, part), BigInteger)


def replaced(column: Column, old: Column, new: Column) -> Column:
    return dialects.replaced(column, old, new)


def trimmed(column: Column) -> Column:
    return func.trim(column, type_=String())


def like(column: Column, pattern: Column) -> Column:
    return dialects.like(text(column), text(pattern))


def like_without_case(column: Column, pattern: Column) -> Column:
    return dialects.like(dialects.ascii_lower(text(column)), dialects.ascii_lower(text(pattern)))


def negated(column: Column) -> Column:
    return not_(func.coalesce(column, False))


def part_of_moment(name: str) -> Callable[[Column], Column]:
    """A part of a moment, in UTC."""

    def part(column: Column) -> Column:
        zoned = bool(getattr(column.type, "timezone", getattr(getattr(column.type, "impl", None), "timezone", False)))
        return cast(extract(name, dialects.as_utc(column) if zoned else column), BigInteger)

    return part
