"""The SQL of sums, averages and extremes of collections."""

from typing import Any

from sqlalchemy import BigInteger, Double, cast, func
from sqlalchemy.types import TypeEngine

from afterwork.language.sql import dialects
from afterwork.language.sql.rowset import Column, RowSet, Term
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import OperatorCall

ORDERED_IN_SQL = (*types.NUMBERS, types.STRING, types.DATETIME, types.DATE)
"""The types whose largest and smallest element SQL can find."""

SUM_TYPES: dict[types.Type, TypeEngine[Any]] = {types.INTEGER: BigInteger(), types.REAL: Double()}


def total(translator: Translator, call: OperatorCall) -> Term:
    rows, column = _numbers(translator, call)
    sum_type = SUM_TYPES.get(call.type, dialects.ExactDecimal())
    summed = func.sum(column.distinct() if rows.distinct else column, type_=sum_type)
    result = rows.aggregate(func.coalesce(summed, 0, type_=sum_type))
    return Term(cast(result, BigInteger) if call.type == types.INTEGER else result, call.type, False)


def average(translator: Translator, call: OperatorCall) -> Term:
    rows, column = _numbers(translator, call)
    if rows.distinct:
        translator.refuse(call, "the mean of a Set of values")
    summed, counted = func.sum(column), func.count(column)
    if call.type == types.DECIMAL:
        return Term(rows.aggregate(dialects.quotient(summed, counted)), call.type)
    mean: Column = cast(summed, Double).op("/", return_type=Double())(func.nullif(cast(counted, Double), 0.0))
    return Term(rows.aggregate(mean), call.type)


def _numbers(translator: Translator, call: OperatorCall) -> tuple[RowSet, Column]:
    rows = translator.unlimited(call.arguments[0])
    if not isinstance(rows.element, Term):
        translator.refuse(call, "objects are no numbers")
    if rows.element.encoded:
        translator.refuse(call, "the database holds these in a form of their own, which can only be compared")
    return rows.apart(rows.element.column)


def largest(translator: Translator, call: OperatorCall) -> Term:
    return _extreme(translator, call, func.max)


def smallest(translator: Translator, call: OperatorCall) -> Term:
    return _extreme(translator, call, func.min)


def _extreme(translator: Translator, call: OperatorCall, function: Any) -> Term:
    rows = translator.unlimited(call.arguments[0])
    element = rows.element
    if not isinstance(element, Term) or element.encoded or element.type not in ORDERED_IN_SQL:
        translator.refuse(call, "these have no largest and smallest there")
    rows, value = rows.apart(element.column)
    column = dialects.by_code_point(value) if element.type == types.STRING else value
    return Term(rows.aggregate(function(column, type_=element.column.type)), element.type, True, element.column_type)
