"""Comparisons in SQL: never null, as they are in the language."""

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import and_, case, false, not_, or_, true

from afterwork.language.sql import dialects
from afterwork.language.sql.columns import as_float
from afterwork.language.sql.rowset import Column, Entity, KnownObject, Term, is_object, keys, same_object
from afterwork.language.sql.timestamps import as_timestamp_column, storage_form
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Comparison, TypedNode
from afterwork.language.typed.types import CollectionType, ObjectType, TupleType

ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


TEMPORAL_TYPES = (types.DATETIME, types.DATE, types.TIMESPAN)


def compared(translator: Translator, node: Comparison) -> Column:
    """The condition that a comparison is."""
    if isinstance(node.left.type, CollectionType | TupleType) or isinstance(
        node.right.type, CollectionType | TupleType
    ):
        translator.refuse(node, "collections can't be compared there")
    if isinstance(node.left.type, ObjectType) or isinstance(node.right.type, ObjectType):
        equal = same_objects(translator.entity(node.left), translator.entity(node.right))
        return equal if node.operator == "=" else not_(equal)
    left, right = sides(translator, node, node.left, node.right)
    if node.operator == "=":
        return equal_values(left, right)
    if node.operator == "<>":
        return not_(equal_values(left, right))
    if left.known_null or right.known_null:
        return false()
    return _ordered(node.operator, left, right)


def sides(translator: Translator, node: TypedNode, one: TypedNode, other: TypedNode) -> tuple[Term, Term]:
    """Both sides of a comparison; what is known has the type of the column that it is compared with."""
    if translator.is_known(one):
        left, right = _beside(translator, other, one)[::-1]
    else:
        left, right = _beside(translator, one, other)
    if (left.encoded or right.encoded) and type(left.column_type) is not type(right.column_type):
        translator.refuse(node, "the database holds one side in a form of its own")
    left, right = _of_one_form(left, right)
    return _settled(left, right), _settled(right, left)


def _beside(translator: Translator, one: TypedNode, other: TypedNode) -> tuple[Term, Term]:
    term = translator.term(one)
    if translator.is_known(other) and (term.encoded or not _numbers(term)):
        value = translator.value(other)
        return term, translator.parameter(_typed_as(other, term), value, term)
    return term, translator.term(other)


def _typed_as(node: TypedNode, term: Term) -> TypedNode:
    """A known date that is compared with a moment is one."""
    return replace(node, type=types.DATETIME) if term.type == types.DATETIME else node


def _numbers(term: Term) -> bool:
    return term.type in types.NUMBERS


def _of_one_form(left: Term, right: Term) -> tuple[Term, Term]:
    """Moments and spans that the database keeps in different forms, in the one in which they are calculated."""
    if (
        left.type not in TEMPORAL_TYPES
        or right.type not in TEMPORAL_TYPES
        or storage_form(left.column) == storage_form(right.column)
    ):
        return left, right
    return replace(left, column=as_timestamp_column(left.column)), replace(
        right, column=as_timestamp_column(right.column)
    )


def _settled(term: Term, other: Term) -> Term:
    """What is calculated in decimals is compared to 10 places; beside a Real it is one."""
    column = term.column
    if other.type == types.REAL and term.type == types.DECIMAL:
        column = as_float(column)
    elif term.type == types.DECIMAL and not term.encoded and (term.calculated or other.calculated):
        column = dialects.rounded_for_comparison(column)
    return replace(term, column=column)


def equal_values(left: Term, right: Term) -> Column:
    """Whether two values are alike: two nulls are."""
    if left.known_null or right.known_null:
        others = [term.column.is_(None) for term in (left, right) if not term.known_null]
        return and_(true(), *others)
    if left.nullable and right.nullable:
        both_null = and_(left.column.is_(None), right.column.is_(None))
        both = and_(left.column.is_not(None), right.column.is_not(None))
        return case((both, left.column == right.column), else_=both_null)
    return _never_null(left.column == right.column, left, right)


def _ordered(name: str, left: Term, right: Term) -> Column:
    one, other = left.column, right.column
    if types.STRING in (left.type, right.type):
        one, other = dialects.by_code_point(one), dialects.by_code_point(other)
    return _never_null(ORDERS[name](one, other), left, right)


def _never_null(condition: Column, *terms: Term) -> Column:
    """False where a side is null. Written so that an index on the side still serves."""
    return and_(condition, *[term.column.is_not(None) for term in terms if term.nullable])


def same_objects(left: Entity | KnownObject, right: Entity | KnownObject) -> Column:
    """Whether two objects are the same: two nulls are."""
    match left, right:
        case KnownObject(value=one), KnownObject(value=other):
            return true() if one is other else false()
        case (KnownObject(value=None), Entity() as entity) | (Entity() as entity, KnownObject(value=None)):
            return is_missing(entity)
        case (KnownObject(value=value), Entity() as entity) | (Entity() as entity, KnownObject(value=value)):
            return _certain(is_object(entity, value), entity)
        case Entity(), Entity():
            both_missing = and_(is_missing(left), is_missing(right))
            return or_(_certain(same_object(left, right), left, right), both_missing)
    raise AssertionError("objects are known, or rows")


def is_missing(entity: Entity) -> Column:
    """Whether an object is null."""
    if not entity.nullable and entity.picked is None:
        return false()
    return entity.column(keys(entity.alias, entity.cls)[0]).is_(None)


def _certain(condition: Column, *entities: Entity) -> Column:
    return and_(condition, *[not_(is_missing(one)) for one in entities if one.nullable or one.picked is not None])
