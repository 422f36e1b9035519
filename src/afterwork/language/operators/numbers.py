"""Arithmetic and numbers. Division by zero is null; whole numbers have 64 bits."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from afterwork.language.run.values import rounded
from afterwork.language.sql import columns
from afterwork.language.typed.operator import ColumnTranslation, Operator, ValueFunction

MAX_WHOLE_DIGITS = 100
"""The most digits before the point of a calculated decimal."""

Number = Any  # int, float or Decimal, as the signatures say


def _of_one_class(left: Number, right: Number) -> tuple[Number, Number]:
    """Return both as floats if one is: Python doesn't mix floats and decimals."""
    if isinstance(left, float) != isinstance(right, float):
        return float(left), float(right)
    return left, right


def add(left: Number, right: Number) -> Number:
    left, right = _of_one_class(left, right)
    return _finite(left + right)


def subtract(left: Number, right: Number) -> Number:
    left, right = _of_one_class(left, right)
    return _finite(left - right)


def multiply(left: Number, right: Number) -> Number:
    left, right = _of_one_class(left, right)
    return _finite(left * right)


def _finite(number: Number) -> Number:
    too_large = (
        not math.isfinite(number)
        if isinstance(number, float)
        else isinstance(number, Decimal) and (number.adjusted() > MAX_WHOLE_DIGITS)
    )
    if too_large:
        raise ArithmeticError("A number is too large.")
    return number


def divide_floats(left: Number, right: Number) -> float | None:
    return None if right == 0 else float(_finite(float(left) / float(right)))


def divide_decimals(left: Number, right: Number) -> Decimal | None:
    return None if right == 0 else rounded(Decimal(left) / Decimal(right))


def whole_quotient(left: int, right: int) -> int | None:
    """Round towards zero, as OCL and the databases do; Python's `//` rounds down."""
    if right == 0:
        return None
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def remainder(left: int, right: int) -> int | None:
    quotient = whole_quotient(left, right)
    return None if quotient is None else left - quotient * right


def floor(number: Number) -> int:
    return int(number.to_integral_value(ROUND_FLOOR)) if isinstance(number, Decimal) else math.floor(number)


def ceiling(number: Number) -> int:
    return int(number.to_integral_value(ROUND_CEILING)) if isinstance(number, Decimal) else math.ceil(number)


def nearest(number: Number) -> int:
    """Round halves up (OCL 2.4, 11.5.1)."""
    return floor(number + (0.5 if isinstance(number, float) else Decimal("0.5")))


def to_places(number: Number, places: int) -> Number:
    if not 0 <= places <= 20:
        raise ValueError("round takes from 0 to 20 places.")
    if isinstance(number, Decimal):
        return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return round(number, places)


def larger(left: Number, right: Number) -> Number:
    return max(_of_one_class(left, right))


def smaller(left: Number, right: Number) -> Number:
    return min(_of_one_class(left, right))


def square_root(number: Number) -> float | None:
    return None if number < 0 else math.sqrt(number)


OPERATORS = (
    Operator("N + N : N", ValueFunction(add), "The sum.", ("1 + 2.5", "3.5"), ColumnTranslation(columns.add)),
    Operator(
        "N - N : N", ValueFunction(subtract), "The difference.", ("5 - 7", "-2"), ColumnTranslation(columns.subtract)
    ),
    Operator(
        "N * N : N", ValueFunction(multiply), "The product.", ("3 * 4", "12"), ColumnTranslation(columns.multiply)
    ),
    Operator(
        "Integer / Integer : Real",
        ValueFunction(divide_floats),
        "The quotient, a Real even of whole numbers; null for a division by zero.",
        ("7 / 2", "3.5"),
        ColumnTranslation(columns.divide_floats),
    ),
    Operator(
        "Decimal / Decimal : Decimal",
        ValueFunction(divide_decimals),
        "The quotient, to 10 decimal places.",
        ("1.00 / 3", "0.3333333333"),
        ColumnTranslation(columns.divide_decimals),
    ),
    Operator(
        "Real / Real : Real",
        ValueFunction(divide_floats),
        "The quotient.",
        ("7.toReal / 2", "3.5"),
        ColumnTranslation(columns.divide_floats),
    ),
    Operator(
        "Integer.divide(Integer) : Real",
        ValueFunction(divide_floats),
        "As the operator `/`.",
        ("7.divide(2)", "3.5"),
        ColumnTranslation(columns.divide_floats),
    ),
    Operator(
        "Decimal.divide(Decimal) : Decimal",
        ValueFunction(divide_decimals),
        "As the operator `/`.",
        ("1.5.divide(3)", "0.5"),
        ColumnTranslation(columns.divide_decimals),
    ),
    Operator(
        "Real.divide(Real) : Real",
        ValueFunction(divide_floats),
        "As the operator `/`.",
        ("7.toReal.divide(2)", "3.5"),
        ColumnTranslation(columns.divide_floats),
    ),
    Operator(
        "Integer div Integer : Integer",
        ValueFunction(whole_quotient),
        "The whole quotient, rounded towards zero.",
        ("-7 div 2", "-3"),
        ColumnTranslation(columns.whole_quotient),
    ),
    Operator(
        "Integer mod Integer : Integer",
        ValueFunction(remainder),
        "The remainder of `div`, with the sign of the first operand.",
        ("-7 mod 2", "-1"),
        ColumnTranslation(columns.remainder),
    ),
    Operator(
        "- N : N",
        ValueFunction(lambda number: -number),
        "The negated number.",
        ("-(3)", "0 - 3"),
        ColumnTranslation(columns.negative),
    ),
    Operator(
        "Integer.div(Integer) : Integer",
        ValueFunction(whole_quotient),
        "As the operator `div`.",
        ("7.div(2)", "3"),
        ColumnTranslation(columns.whole_quotient),
    ),
    Operator(
        "Integer.mod(Integer) : Integer",
        ValueFunction(remainder),
        "As the operator `mod`.",
        ("7.mod(2)", "1"),
        ColumnTranslation(columns.remainder),
    ),
    Operator(
        "N.abs : N", ValueFunction(abs), "The absolute value.", ("(-3).abs", "3"), ColumnTranslation(columns.absolute)
    ),
    Operator(
        "N.floor : Integer",
        ValueFunction(floor),
        "The largest whole number that is not greater.",
        ("(-1.5).floor", "-2"),
        ColumnTranslation(columns.floor),
    ),
    Operator(
        "N.ceiling : Integer",
        ValueFunction(ceiling),
        "The smallest whole number that is not less.",
        ("(-1.5).ceiling", "-1"),
        ColumnTranslation(columns.ceiling),
    ),
    Operator(
        "N.round : Integer",
        ValueFunction(nearest),
        "The nearest whole number; halves round up.",
        ("2.5.round", "3"),
        ColumnTranslation(columns.nearest),
    ),
    Operator(
        "N.round(Integer) : N",
        ValueFunction(to_places),
        "The number rounded to decimal places; halves round to even.",
        ("2.345.round(2)", "2.34"),
    ),
    Operator(
        "N.max(N) : N",
        ValueFunction(larger),
        "The larger of two.",
        ("2.max(3)", "3"),
        ColumnTranslation(columns.larger),
    ),
    Operator(
        "N.min(N) : N",
        ValueFunction(smaller),
        "The smaller of two.",
        ("2.min(3)", "2"),
        ColumnTranslation(columns.smaller),
    ),
    Operator(
        "N.sqrt : Real",
        ValueFunction(square_root),
        "The square root; null for a negative number.",
        ("9.sqrt", "3.toReal"),
    ),
    Operator(
        "N.toReal : Real",
        ValueFunction(float),
        "The number as a Real.",
        ("1.toReal", "2 / 2"),
        ColumnTranslation(columns.as_float),
    ),
    Operator(
        "N.toDecimal : Decimal",
        ValueFunction(lambda number: Decimal(str(number))),
        "The number as a Decimal.",
        ("(1 / 2).toDecimal", "0.5"),
    ),
)
