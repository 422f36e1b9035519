"""The SQL of operators on single values: functions of column expressions."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, Double, Integer, String, and_, case, cast, extract, func, not_, or_
from sqlalchemy.types import TypeEngine

from afterwork.language.sql import dialects
from afterwork.language.sql.dialects import SqlColumn


def wide(column: SqlColumn) -> SqlColumn:
    """Return a whole number as one of 64 bits: PostgreSQL would calculate with fewer."""
    return cast(column, BigInteger) if isinstance(column.type, Integer) else column


def _result_type(left: SqlColumn, right: SqlColumn) -> TypeEngine[Any]:
    """Return the type of the result of two numbers."""
    if isinstance(left.type, Double) or isinstance(right.type, Double):
        return Double()
    whole = isinstance(left.type, Integer) and isinstance(right.type, Integer)
    return BigInteger() if whole else dialects.ExactDecimal()


def _arithmetic(operator: str) -> Callable[[SqlColumn, SqlColumn], SqlColumn]:
    def calculated(left: SqlColumn, right: SqlColumn) -> SqlColumn:
        result_type = _result_type(left, right)
        left_operand, right_operand = wide(left), wide(right)
        if isinstance(result_type, Double):
            left_operand, right_operand = as_float(left), as_float(right)
        return left_operand.op(operator, return_type=result_type)(right_operand).self_group()

    return calculated


add, subtract, multiply = _arithmetic("+"), _arithmetic("-"), _arithmetic("*")


def as_float(column: SqlColumn) -> SqlColumn:
    return cast(column, Double)


def divide_floats(left: SqlColumn, right: SqlColumn) -> SqlColumn:
    return as_float(left).op("/", return_type=Double())(func.nullif(as_float(right), 0.0)).self_group()


def whole_quotient(left: SqlColumn, right: SqlColumn) -> SqlColumn:
    return wide(left).op("/", return_type=BigInteger())(func.nullif(wide(right), 0)).self_group()


def remainder(left: SqlColumn, right: SqlColumn) -> SqlColumn:
    return wide(left).op("%", return_type=BigInteger())(func.nullif(wide(right), 0)).self_group()


def negative(column: SqlColumn) -> SqlColumn:
    return (-wide(column)).self_group()


def absolute(column: SqlColumn) -> SqlColumn:
    return func.abs(wide(column), type_=column.type)


def floor(column: SqlColumn) -> SqlColumn:
    return wide(column) if isinstance(column.type, Integer) else dialects.floored(column)


def ceiling(column: SqlColumn) -> SqlColumn:
    return wide(column) if isinstance(column.type, Integer) else negative(dialects.floored(-column))


def nearest(column: SqlColumn) -> SqlColumn:
    if isinstance(column.type, Integer):
        return wide(column)
    return dialects.floored(column.op("+", return_type=column.type)(0.5).self_group())


def larger(left: SqlColumn, right: SqlColumn) -> SqlColumn:
    return case((or_(left.is_(None), right.is_(None)), None), (left >= right, left), else_=right)


def smaller(left: SqlColumn, right: SqlColumn) -> SqlColumn:
    return case((or_(left.is_(None), right.is_(None)), None), (left <= right, left), else_=right)


def text(column: SqlColumn) -> SqlColumn:
    """Return a column as text: PostgreSQL needs to know that a parameter is one."""
    return cast(column, String) if not isinstance(column.type, String) else column


def concatenated(left: SqlColumn, right: SqlColumn) -> SqlColumn:
    return (func.coalesce(left, "", type_=String()) + func.coalesce(right, "", type_=String())).self_group()


def joined(left: SqlColumn, right: SqlColumn) -> SqlColumn:
    """Return the concatenation of two texts; null where one is null."""
    return left.op("||", return_type=String())(right).self_group()


def length(column: SqlColumn) -> SqlColumn:
    return func.length(text(column), type_=Integer())


def null_or_empty(column: SqlColumn) -> SqlColumn:
    return func.coalesce(column, "", type_=String()) == ""


def part(column: SqlColumn, first: SqlColumn, last: SqlColumn) -> SqlColumn:
    """Return the characters between two positions: the databases take a start and a length, and differ for those below
    1."""
    start = case((first < 1, 1), else_=cast(first, Integer))
    count = case((last < start, 0), else_=cast(last, Integer).op("-", return_type=Integer())(start) + 1)
    return func.substr(column, start, count, type_=String())


def starts_with(column: SqlColumn, part: SqlColumn) -> SqlColumn:
    return func.substr(column, 1, func.length(part)) == part


def ends_with(column: SqlColumn, part: SqlColumn) -> SqlColumn:
    start = func.length(column, type_=Integer()) - func.length(part, type_=Integer()) + 1
    return and_(start >= 1, func.substr(column, start) == part)


def contains(column: SqlColumn, part: SqlColumn) -> SqlColumn:
    return dialects.position_of(column, part) > 0


def position_of(column: SqlColumn, part: SqlColumn) -> SqlColumn:
    return cast(dialects.position_of(column, part), BigInteger)


def trimmed(column: SqlColumn) -> SqlColumn:
    return func.trim(column, type_=String())


def like(column: SqlColumn, pattern: SqlColumn) -> SqlColumn:
    return dialects.like(text(column), text(pattern))


def like_without_case(column: SqlColumn, pattern: SqlColumn) -> SqlColumn:
    return dialects.like(dialects.ascii_lower(text(column)), dialects.ascii_lower(text(pattern)))


def negated(column: SqlColumn) -> SqlColumn:
    return not_(func.coalesce(column, False))


def part_of_timestamp(name: str) -> Callable[[SqlColumn], SqlColumn]:
    """Return a function that extracts a part of a timestamp, in UTC."""

    def part(column: SqlColumn) -> SqlColumn:
        zoned = bool(getattr(column.type, "timezone", getattr(getattr(column.type, "impl", None), "timezone", False)))
        return cast(extract(name, dialects.as_utc(column) if zoned else column), BigInteger)

    return part
