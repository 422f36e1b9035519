"""The SQL of what collections and objects are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Double,
    and_,
    case,
    cast,
    false,
    func,
    inspect,
    not_,
    or_,
    true,
)
from sqlalchemy.orm import Mapper, aliased
from sqlalchemy.types import TypeEngine

from afterwork.language import types
from afterwork.language.sql import columns, dialects
from afterwork.language.sql.comparing import equal_terms, is_missing, same
from afterwork.language.sql.rowset import Column, Entity, Known, Root, RowSet, Term, keys
from afterwork.language.sql.single import is_missing_in, refuse_if_several
from afterwork.language.typed import Call, Constant, Single, Typed
from afterwork.language.types import ObjectType

if TYPE_CHECKING:
    from afterwork.language.sql.translator import Translator


def _boolean(condition: Column) -> Term:
    return Term(condition, types.BOOLEAN, False)


# How many


def size(translator: Translator, call: Call) -> Term:
    return Term(translator.rows(call.arguments[0]).count(), types.INTEGER, False)


def is_empty(translator: Translator, call: Call) -> Term:
    return _boolean(not_(_any(translator, call.arguments[0])))


def not_empty(translator: Translator, call: Call) -> Term:
    return _boolean(_any(translator, call.arguments[0]))


def _any(translator: Translator, source: Typed) -> Column:
    if isinstance(source, Single):
        refuse_if_several(translator, source)
        return not_(is_missing_in(translator, source.source))
    rows = translator.rows(source)
    return rows.count() > 0 if rows.limited else rows.exists()


# Whether something is there


def includes(translator: Translator, call: Call) -> Term:
    return _boolean(_includes(translator, call))


def excludes(translator: Translator, call: Call) -> Term:
    return _boolean(not_(_includes(translator, call)))


def _includes(translator: Translator, call: Call) -> Column:
    source, wanted = call.arguments
    if translator.is_known(source):
        return _among(translator, translator.value(source), wanted)
    rows = translator.unlimited(source)
    if isinstance(rows.element, Entity):
        target = translator.entity(wanted)
        return false() if target == Known(None) else rows.exists(same(rows.element, target))
    return rows.exists(_alike(translator, rows.element, wanted))


def _among(translator: Translator, values: list[Any], wanted: Typed) -> Column:
    """Whether a row's value is one of those that are known."""
    if isinstance(wanted.type, ObjectType):
        target = translator.entity(wanted)
        return or_(false(), *[same(Known(value), target) for value in values])
    term = translator.term(wanted)
    kept = [translator.parameter(wanted, value, term).column for value in values]
    return and_(term.column.in_(kept), term.column.is_not(None)) if kept else false()


def _alike(translator: Translator, element: Term, wanted: Typed) -> Column:
    if translator.is_known(wanted):
        value = translator.value(wanted)
        return false() if value is None else equal_terms(element, translator.parameter(wanted, value, element))
    term = translator.term(wanted)
    return and_(equal_terms(element, term), term.column.is_not(None))


def count(translator: Translator, call: Call) -> Term:
    rows = translator.unlimited(call.arguments[0])
    wanted = call.arguments[1]
    if isinstance(rows.element, Entity):
        rows.where.append(same(rows.element, translator.entity(wanted)))
    else:
        rows.where.append(_alike(translator, rows.element, wanted))
    return Term(rows.count(), types.INTEGER, False)


def includes_all(translator: Translator, call: Call) -> Term:
    """No element of the second is missing in the first."""
    return _boolean(not_(_one_of_second(translator, call, there=False)))


def excludes_all(translator: Translator, call: Call) -> Term:
    return _boolean(not_(_one_of_second(translator, call, there=True)))


def _one_of_second(translator: Translator, call: Call, *, there: bool) -> Column:
    first, second = (translator.unlimited(argument) for argument in call.arguments)
    if not (isinstance(first.element, Entity) and isinstance(second.element, Entity)):
        translator.refuse(call, "only collections of objects can be compared there")
    found = first.exists(same(first.element, second.element))
    return second.exists(found if there else not_(found))


# Aggregates


KINDS: dict[types.Type, TypeEngine[Any]] = {types.INTEGER: BigInteger(), types.REAL: Double()}


def total(translator: Translator, call: Call) -> Term:
    rows, column = _numbers(translator, call)
    kind = KINDS.get(call.type, dialects.Exact())
    summed = func.sum(column.distinct() if rows.distinct else column, type_=kind)
    result = rows.aggregate(func.coalesce(summed, 0, type_=kind))
    return Term(cast(result, BigInteger) if call.type == types.INTEGER else result, call.type, False)


def average(translator: Translator, call: Call) -> Term:
    rows, column = _numbers(translator, call)
    if rows.distinct:
        translator.refuse(call, "the mean of a Set of values")
    summed, counted = func.sum(column), func.count(column)
    if call.type == types.DECIMAL:
        return Term(rows.aggregate(dialects.quotient(summed, counted)), call.type)
    mean: Column = cast(summed, Double).op("/", return_type=Double())(func.nullif(cast(counted, Double), 0.0))
    return Term(rows.aggregate(mean), call.type)


def _numbers(translator: Translator, call: Call) -> tuple[RowSet, Column]:
    rows = translator.unlimited(call.arguments[0])
    if not isinstance(rows.element, Term):
        translator.refuse(call, "objects are no numbers")
    if rows.element.encoded:
        translator.refuse(call, "the database holds these in a form of their own, which can only be compared")
    return rows.apart(rows.element.column)


def largest(translator: Translator, call: Call) -> Term:
    return _extreme(translator, call, func.max)


def smallest(translator: Translator, call: Call) -> Term:
    return _extreme(translator, call, func.min)


def _extreme(translator: Translator, call: Call, function: Any) -> Term:
    rows = translator.unlimited(call.arguments[0])
    element = rows.element
    if not isinstance(element, Term) or element.encoded or element.type not in EXTREME:
        translator.refuse(call, "these have no largest and smallest there")
    rows, value = rows.apart(element.column)
    column = dialects.by_code_point(value) if element.type == types.STRING else value
    return Term(rows.aggregate(function(column, type_=element.column.type)), element.type, True, element.kept_as)


EXTREME = (*types.NUMBERS, types.STRING, types.DATETIME, types.DATE)


# Values and objects


def is_null(translator: Translator, call: Call) -> Term:
    return _boolean(is_missing_in(translator, call.arguments[0]))


def not_null(translator: Translator, call: Call) -> Term:
    return _boolean(not_(is_missing_in(translator, call.arguments[0])))


def is_null_or_empty(translator: Translator, call: Call) -> Term:
    value = call.arguments[0]
    if value.type == types.STRING:
        return _boolean(columns.null_or_empty(translator.column(value)))
    if value.type == types.ANY:
        translator.refuse(value, "it may be a text, a collection or anything else")
    return _boolean(is_missing_in(translator, value))


def when_true(translator: Translator, call: Call) -> Term:
    condition, value = call.arguments
    return Term(case((translator.condition(condition), translator.column(value)), else_=None), call.type)


def case_true_false(translator: Translator, call: Call) -> Term:
    return translator.chosen(call, *call.arguments)


def is_kind_of(translator: Translator, call: Call) -> Term:
    """Whether the class has a row of that key: right for each way to map inheritance."""
    entity, cls = _asked(translator, call)
    return _boolean(is_of(entity, cls))


def is_type_of(translator: Translator, call: Call) -> Term:
    entity, cls = _asked(translator, call)
    asked: Mapper[Any] = inspect(cls)
    below = [mapper.class_ for mapper in asked.self_and_descendants if mapper is not asked]
    others = [not_(is_of(entity, other)) for other in below]
    return _boolean(and_(is_of(entity, cls), *others))


def _asked(translator: Translator, call: Call) -> tuple[Entity, type]:
    entity = translator.entity(call.arguments[0])
    kind = call.arguments[1]
    if not isinstance(entity, Entity) or not isinstance(kind, Constant) or not isinstance(kind.value, type):
        translator.refuse(call, "the object is known beforehand")
    return entity, kind.value


def is_of(entity: Entity, cls: type) -> Column:
    """Whether an object is of a class."""
    if not issubclass(cls, entity.cls) and not issubclass(entity.cls, cls):
        return false()
    if issubclass(entity.cls, cls):
        return not_(is_missing(entity))
    return narrowed(entity, cls, lambda narrower: true())


def narrowed(entity: Entity, cls: type, condition: Callable[[Entity], Column]) -> Column:
    """Return the condition that an object is of a narrower class, and meets a condition as such."""
    alias: Any = aliased(cls)
    root = Root.of(alias)
    narrower = Entity(alias, cls, root)
    pairs = zip(keys(alias, cls), keys(entity.alias, entity.cls), strict=True)
    same_key = [left == entity.column(right) for left, right in pairs]
    return RowSet(narrower, [root], "Set").exists(*same_key, condition(narrower))
