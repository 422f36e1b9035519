"""Arithmetic and numbers. Division by zero is null; whole numbers have 64 bits."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from afterwork.language.run.values import rounded
from afterwork.language.sql import columns, dialects
from afterwork.language.typed.operator import Declare

MAX_WHOLE_DIGITS = 100
"""The most digits before the point of a calculated decimal."""

Number = Any  # int, float or Decimal, as the signatures say


def _of_one_class(left: Number, right: Number) -> tuple[Number, Number]:
    """Return both as floats if one is: Python doesn't mix floats and decimals."""
    if isinstance(left, float) != isinstance(right, float):
        return float(left), float(right)
    return left, right


def _finite(number: Number) -> Number:
    too_large = (
        not math.isfinite(number)
        if isinstance(number, float)
        else isinstance(number, Decimal) and (number.adjusted() > MAX_WHOLE_DIGITS)
    )
    if too_large:
        raise ArithmeticError("A number is too large.")
    return number


def added(left: Number, right: Number) -> Number:
    """Return the sum of two numbers."""
    left, right = _of_one_class(left, right)
    return _finite(left + right)


plus = Declare("N + N : N", "The sum. `1 + 2.5` = `3.5`", columns=columns.add)(added)


@Declare("N - N : N", columns=columns.subtract)
def minus(left: Number, right: Number) -> Number:
    """The difference. `5 - 7` = `-2`"""
    left, right = _of_one_class(left, right)
    return _finite(left - right)


@Declare("N * N : N", columns=columns.multiply)
def times(left: Number, right: Number) -> Number:
    """The product. `3 * 4` = `12`"""
    left, right = _of_one_class(left, right)
    return _finite(left * right)


def _divided(left: Number, right: Number) -> float | None:
    return None if right == 0 else float(_finite(float(left) / float(right)))


# Of several that fit, the first is meant: an Integer would fit as a Decimal, and either as a Real.

INTEGERS = "The quotient, a Real even of whole numbers; null for a division by zero. `7 / 2` = `3.5`"

quotient_of_integers = Declare("Integer.divide(Integer) : Real", "As the operator `/`. `7.divide(2)` = `3.5`")(
    Declare("Integer / Integer : Real", INTEGERS, columns=columns.divide_floats)(_divided)
)


@Declare("Decimal.divide(Decimal) : Decimal", "As the operator `/`. `1.5.divide(3)` = `0.5`")
@Declare("Decimal / Decimal : Decimal", columns=dialects.quotient)
def quotient_of_decimals(left: Number, right: Number) -> Decimal | None:
    """The quotient, to 10 decimal places. `1.00 / 3` = `0.3333333333`"""
    return None if right == 0 else rounded(Decimal(left) / Decimal(right))


quotient_of_reals = Declare("Real.divide(Real) : Real", "As the operator `/`. `7.toReal.divide(2)` = `3.5`")(
    Declare("Real / Real : Real", "The quotient. `7.toReal / 2` = `3.5`", columns=columns.divide_floats)(_divided)
)


def _whole_quotient(left: int, right: int) -> int | None:
    """Round towards zero, as OCL and the databases do; Python's `//` rounds down."""
    if right == 0:
        return None
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


WHOLE = "The whole quotient, rounded towards zero. `-7 div 2` = `-3`"

whole_quotient = Declare("Integer.div(Integer) : Integer", "As the operator `div`. `7.div(2)` = `3`")(
    Declare("Integer div Integer : Integer", WHOLE, columns=columns.whole_quotient)(_whole_quotient)
)


@Declare("Integer.mod(Integer) : Integer", "As the operator `mod`. `7.mod(2)` = `1`")
@Declare("Integer mod Integer : Integer", columns=columns.remainder)
def remainder(left: int, right: int) -> int | None:
    """The remainder of `div`, with the sign of the first operand. `-7 mod 2` = `-1`"""
    quotient = _whole_quotient(left, right)
    return None if quotient is None else left - quotient * right


@Declare("- N : N", columns=columns.negative)
def negative(number: Number) -> Number:
    """The negated number. `-(3)` = `0 - 3`"""
    return -number


absolute = Declare("N.abs : N", "The absolute value. `(-3).abs` = `3`", columns=columns.absolute)(abs)


def _floor(number: Number) -> int:
    return int(number.to_integral_value(ROUND_FLOOR)) if isinstance(number, Decimal) else math.floor(number)


FLOOR = "The largest whole number that is not greater. `(-1.5).floor` = `-2`"

floor = Declare("N.floor : Integer", FLOOR, columns=columns.floor)(_floor)


@Declare("N.ceiling : Integer", columns=columns.ceiling)
def ceiling(number: Number) -> int:
    """The smallest whole number that is not less. `(-1.5).ceiling` = `-1`"""
    return int(number.to_integral_value(ROUND_CEILING)) if isinstance(number, Decimal) else math.ceil(number)


@Declare("N.round : Integer", columns=columns.nearest)
def nearest(number: Number) -> int:
    """The nearest whole number; halves round up. `2.5.round` = `3`"""  # OCL 2.4, 11.5.1
    return _floor(number + (0.5 if isinstance(number, float) else Decimal("0.5")))


@Declare("N.round(Integer) : N")
def to_places(number: Number, places: int) -> Number:
    """The number rounded to decimal places; halves round to even. `2.345.round(2)` = `2.34`"""
    if not 0 <= places <= 20:
        raise ValueError("round takes from 0 to 20 places.")
    if isinstance(number, Decimal):
        return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return round(number, places)


@Declare("N.max(N) : N", columns=columns.larger)
def larger(left: Number, right: Number) -> Number:
    """The larger of two. `2.max(3)` = `3`"""
    return max(_of_one_class(left, right))


@Declare("N.min(N) : N", columns=columns.smaller)
def smaller(left: Number, right: Number) -> Number:
    """The smaller of two. `2.min(3)` = `2`"""
    return min(_of_one_class(left, right))


@Declare("N.sqrt : Real")
def square_root(number: Number) -> float | None:
    """The square root; null for a negative number. `9.sqrt` = `3.toReal`"""
    return None if number < 0 else math.sqrt(number)


as_real = Declare("N.toReal : Real", "The number as a Real. `1.toReal` = `2 / 2`", columns=columns.as_float)(float)


@Declare("N.toDecimal : Decimal")
def as_decimal(number: Number) -> Decimal:
    """The number as a Decimal. `(1 / 2).toDecimal` = `0.5`"""
    return Decimal(str(number))
