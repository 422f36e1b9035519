"""The SQL of queries of collections: their size, and what they include."""

from typing import Any

from sqlalchemy import (
    and_,
    false,
    not_,
    or_,
)

from afterwork.language.sql.comparisons import equal_values, same_objects
from afterwork.language.sql.rowset import Column, Entity, KnownObject, Term
from afterwork.language.sql.single_values import is_missing_in, refuse_if_several
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import AsSet, OperatorCall, TypedNode
from afterwork.language.typed.types import ObjectType


def _boolean(condition: Column) -> Term:
    return Term(condition, types.BOOLEAN, False)


# How many


def size(translator: Translator, call: OperatorCall) -> Term:
    return Term(translator.rows(call.arguments[0]).count(), types.INTEGER, False)


def is_empty(translator: Translator, call: OperatorCall) -> Term:
    return _boolean(not_(_any(translator, call.arguments[0])))


def not_empty(translator: Translator, call: OperatorCall) -> Term:
    return _boolean(_any(translator, call.arguments[0]))


def _any(translator: Translator, source: TypedNode) -> Column:
    if isinstance(source, AsSet):
        refuse_if_several(translator, source)
        return not_(is_missing_in(translator, source.source))
    rows = translator.rows(source)
    return rows.count() > 0 if rows.limited else rows.exists()


# Whether something is there


def includes(translator: Translator, call: OperatorCall) -> Term:
    return _boolean(_includes(translator, call))


def excludes(translator: Translator, call: OperatorCall) -> Term:
    return _boolean(not_(_includes(translator, call)))


def _includes(translator: Translator, call: OperatorCall) -> Column:
    source, wanted = call.arguments
    if translator.is_known(source):
        return _among(translator, translator.value(source), wanted)
    rows = translator.unlimited(source)
    if isinstance(rows.element, Entity):
        target = translator.entity(wanted)
        return false() if target == KnownObject(None) else rows.exists(same_objects(rows.element, target))
    return rows.exists(_alike(translator, rows.element, wanted))


def _among(translator: Translator, values: list[Any], wanted: TypedNode) -> Column:
    """Whether a row's value is one of those that are known."""
    if isinstance(wanted.type, ObjectType):
        target = translator.entity(wanted)
        return or_(false(), *[same_objects(KnownObject(value), target) for value in values])
    term = translator.term(wanted)
    kept = [translator.parameter(wanted, value, term).column for value in values]
    return and_(term.column.in_(kept), term.column.is_not(None)) if kept else false()


def _alike(translator: Translator, element: Term, wanted: TypedNode) -> Column:
    if translator.is_known(wanted):
        value = translator.value(wanted)
        return false() if value is None else equal_values(element, translator.parameter(wanted, value, element))
    term = translator.term(wanted)
    return and_(equal_values(element, term), term.column.is_not(None))


def count(translator: Translator, call: OperatorCall) -> Term:
    rows = translator.unlimited(call.arguments[0])
    wanted = call.arguments[1]
    if isinstance(rows.element, Entity):
        rows.where.append(same_objects(rows.element, translator.entity(wanted)))
    else:
        rows.where.append(_alike(translator, rows.element, wanted))
    return Term(rows.count(), types.INTEGER, False)


def includes_all(translator: Translator, call: OperatorCall) -> Term:
    """No element of the second is missing in the first."""
    return _boolean(not_(_one_of_second(translator, call, there=False)))


def excludes_all(translator: Translator, call: OperatorCall) -> Term:
    return _boolean(not_(_one_of_second(translator, call, there=True)))


def _one_of_second(translator: Translator, call: OperatorCall, *, there: bool) -> Column:
    first, second = (translator.unlimited(argument) for argument in call.arguments)
    if not (isinstance(first.element, Entity) and isinstance(second.element, Entity)):
        translator.refuse(call, "only collections of objects can be compared there")
    found = first.exists(same_objects(first.element, second.element))
    return second.exists(found if there else not_(found))
