"""The SQL of queries of collections: their size, which elements they include, their sums, means and extremes."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Double,
    and_,
    cast,
    false,
    func,
    not_,
    or_,
)
from sqlalchemy.types import TypeEngine

from afterwork.language.sql import dialects
from afterwork.language.sql.comparisons import equal_values, same_objects
from afterwork.language.sql.dialects import SqlColumn
from afterwork.language.sql.rowset import Entity, KnownObject, RowSet, Term, boolean
from afterwork.language.sql.single_values import is_missing_in, refuse_if_several
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import AsSet, OperatorCall, TypedNode
from afterwork.language.typed.types import ObjectType


def size(translator: Translator, call: OperatorCall) -> Term:
    return Term(translator.rows(call.arguments[0]).count(), types.INTEGER, False)


def is_empty(translator: Translator, call: OperatorCall) -> Term:
    return boolean(not_(_has_rows(translator, call.arguments[0])))


def not_empty(translator: Translator, call: OperatorCall) -> Term:
    return boolean(_has_rows(translator, call.arguments[0]))


def _has_rows(translator: Translator, source: TypedNode) -> SqlColumn:
    if isinstance(source, AsSet):
        refuse_if_several(translator, source)
        return not_(is_missing_in(translator, source.source))
    rows = translator.rows(source)
    return rows.count() > 0 if rows.limited else rows.exists()


def includes(translator: Translator, call: OperatorCall) -> Term:
    return boolean(_includes(translator, call))


def excludes(translator: Translator, call: OperatorCall) -> Term:
    return boolean(not_(_includes(translator, call)))


def _includes(translator: Translator, call: OperatorCall) -> SqlColumn:
    source, element = call.arguments
    if translator.is_known(source):
        return _among(translator, translator.value(source), element)
    rows = translator.unlimited(source)
    if isinstance(rows.element, Entity):
        target = translator.entity(element)
        return false() if target == KnownObject(None) else rows.exists(same_objects(rows.element, target))
    return rows.exists(_alike(translator, rows.element, element))


def _among(translator: Translator, values: list[Any], element: TypedNode) -> SqlColumn:
    """Return the condition that the value of a row is one of the known values."""
    if isinstance(element.type, ObjectType):
        target = translator.entity(element)
        return or_(false(), *[same_objects(KnownObject(value), target) for value in values])
    term = translator.term(element)
    parameters = [translator.parameter(element, value, term).column for value in values]
    return and_(term.column.in_(parameters), term.column.is_not(None)) if parameters else false()


def _alike(translator: Translator, rows_element: Term, element: TypedNode) -> SqlColumn:
    if translator.is_known(element):
        value = translator.value(element)
        if value is None:
            return false()
        return equal_values(rows_element, translator.parameter(element, value, rows_element))
    term = translator.term(element)
    return and_(equal_values(rows_element, term), term.column.is_not(None))


def count(translator: Translator, call: OperatorCall) -> Term:
    rows = translator.unlimited(call.arguments[0])
    element = call.arguments[1]
    if isinstance(rows.element, Entity):
        rows.where.append(same_objects(rows.element, translator.entity(element)))
    else:
        rows.where.append(_alike(translator, rows.element, element))
    return Term(rows.count(), types.INTEGER, False)


def includes_all(translator: Translator, call: OperatorCall) -> Term:
    """Translate `includesAll` as: no element of the second collection is missing from the first."""
    second, in_first = _second_in_first(translator, call)
    return boolean(not_(second.exists(not_(in_first))))


def excludes_all(translator: Translator, call: OperatorCall) -> Term:
    second, in_first = _second_in_first(translator, call)
    return boolean(not_(second.exists(in_first)))


def _second_in_first(translator: Translator, call: OperatorCall) -> tuple[RowSet, SqlColumn]:
    """Return the rows of the second collection, and the condition that a row is in the first."""
    first, second = (translator.unlimited(argument) for argument in call.arguments)
    if not (isinstance(first.element, Entity) and isinstance(second.element, Entity)):
        translator.refuse(call, "only collections of objects can be compared there")
    return second, first.exists(same_objects(first.element, second.element))


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
    mean: SqlColumn = cast(summed, Double).op("/", return_type=Double())(func.nullif(cast(counted, Double), 0.0))
    return Term(rows.aggregate(mean), call.type)


def _numbers(translator: Translator, call: OperatorCall) -> tuple[RowSet, SqlColumn]:
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
