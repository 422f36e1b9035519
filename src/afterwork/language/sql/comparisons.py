"""Comparisons in SQL, which are never null in the language."""

from dataclasses import replace

from sqlalchemy import and_, case, false, not_, or_, true

from afterwork.language.run.compile_comparison import ORDERS
from afterwork.language.sql import dialects
from afterwork.language.sql.columns import as_float
from afterwork.language.sql.dialects import SqlColumn
from afterwork.language.sql.rowset import Entity, KnownObject, Term, is_object, keys, same_object
from afterwork.language.sql.timestamps import as_timestamp_column, storage_form
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Comparison, TypedNode
from afterwork.language.typed.types import CollectionType, ObjectType, TupleType

TEMPORAL_TYPES = (types.DATETIME, types.DATE, types.TIMESPAN)


def compared(translator: Translator, node: Comparison) -> SqlColumn:
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


def sides(translator: Translator, node: TypedNode, left: TypedNode, right: TypedNode) -> tuple[Term, Term]:
    """Return both sides of a comparison; a known value gets the type of the column that it is compared with."""
    if translator.is_known(left):
        left_term, right_term = _beside(translator, right, left)[::-1]
    else:
        left_term, right_term = _beside(translator, left, right)
    if (left_term.encoded or right_term.encoded) and type(left_term.column_type) is not type(right_term.column_type):
        translator.refuse(node, "the database holds one side in a form of its own")
    left_term, right_term = _of_one_form(left_term, right_term)
    return _comparable(left_term, right_term), _comparable(right_term, left_term)


def _beside(translator: Translator, node: TypedNode, beside: TypedNode) -> tuple[Term, Term]:
    term = translator.term(node)
    if translator.is_known(beside) and (term.encoded or term.type not in types.NUMBERS):
        value = translator.value(beside)
        return term, translator.parameter(_typed_as(beside, term), value, term)
    return term, translator.term(beside)


def _typed_as(node: TypedNode, term: Term) -> TypedNode:
    """Return a known date as a timestamp if it is compared with one."""
    return replace(node, type=types.DATETIME) if term.type == types.DATETIME else node


def _of_one_form(left: Term, right: Term) -> tuple[Term, Term]:
    """Return timestamps and durations that the database stores in different forms in the form for calculations."""
    if (
        left.type not in TEMPORAL_TYPES
        or right.type not in TEMPORAL_TYPES
        or storage_form(left.column) == storage_form(right.column)
    ):
        return left, right
    return replace(left, column=as_timestamp_column(left.column)), replace(
        right, column=as_timestamp_column(right.column)
    )


def _comparable(term: Term, other: Term) -> Term:
    """Return a calculated decimal rounded to 10 places; beside a Real, a decimal becomes one."""
    column = term.column
    if other.type == types.REAL and term.type == types.DECIMAL:
        column = as_float(column)
    elif term.type == types.DECIMAL and not term.encoded and (term.calculated or other.calculated):
        column = dialects.rounded_for_comparison(column)
    return replace(term, column=column)


def equal_values(left: Term, right: Term) -> SqlColumn:
    """Return the condition that two values are equal, as two nulls are."""
    if left.known_null or right.known_null:
        checks = [term.column.is_(None) for term in (left, right) if not term.known_null]
        return and_(true(), *checks)
    if left.nullable and right.nullable:
        both_null = and_(left.column.is_(None), right.column.is_(None))
        both = and_(left.column.is_not(None), right.column.is_not(None))
        return case((both, left.column == right.column), else_=both_null)
    return _never_null(left.column == right.column, left, right)


def _ordered(name: str, left: Term, right: Term) -> SqlColumn:
    left_column, right_column = left.column, right.column
    if types.STRING in (left.type, right.type):
        left_column, right_column = dialects.by_code_point(left_column), dialects.by_code_point(right_column)
    return _never_null(ORDERS[name](left_column, right_column), left, right)


def _never_null(condition: SqlColumn, *terms: Term) -> SqlColumn:
    """Return false where a side is null, in a form that can still use an index on the side."""
    return and_(condition, *[term.column.is_not(None) for term in terms if term.nullable])


def same_objects(left: Entity | KnownObject, right: Entity | KnownObject) -> SqlColumn:
    """Return the condition that two objects are the same, as two nulls are."""
    match left, right:
        case KnownObject(value=left_object), KnownObject(value=right_object):
            return true() if left_object is right_object else false()
        case (KnownObject(value=None), Entity() as entity) | (Entity() as entity, KnownObject(value=None)):
            return is_missing(entity)
        case (KnownObject(value=value), Entity() as entity) | (Entity() as entity, KnownObject(value=value)):
            return _certain(is_object(entity, value), entity)
        case Entity(), Entity():
            both_missing = and_(is_missing(left), is_missing(right))
            return or_(_certain(same_object(left, right), left, right), both_missing)
    raise AssertionError("objects are known, or rows")


def is_missing(entity: Entity) -> SqlColumn:
    if not entity.nullable and entity.picked is None:
        return false()
    return entity.column(keys(entity.alias, entity.cls)[0]).is_(None)


def _certain(condition: SqlColumn, *entities: Entity) -> SqlColumn:
    return and_(
        condition, *[not_(is_missing(entity)) for entity in entities if entity.nullable or entity.picked is not None]
    )
