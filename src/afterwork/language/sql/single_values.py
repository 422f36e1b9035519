"""The SQL of operators of any value, and of a single value after an arrow: one row, or none if it is null."""

from sqlalchemy import (
    ARRAY,
    JSON,
    PickleType,
    String,
    TypeDecorator,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)

from afterwork.language.sql import columns
from afterwork.language.sql.comparisons import is_missing
from afterwork.language.sql.dialects import SqlColumn
from afterwork.language.sql.rowset import Entity, KnownObject, RowSet, RowSource, Term, boolean
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import AsSet, OperatorCall, TypedNode
from afterwork.language.typed.types import ObjectType


def single_row(translator: Translator, node: AsSet) -> RowSet:
    """Return a value as the only row of a collection; null as a collection without rows."""
    refuse_if_several(translator, node)
    nowhere = RowSource(select(literal(1).label("one")).subquery(), [])
    not_missing = not_(is_missing_in(translator, node.source))
    return RowSet(_element(translator, node.source), [nowhere], "Set", [not_missing], order=[])


def _element(translator: Translator, node: TypedNode) -> Entity | Term:
    if not isinstance(node.type, ObjectType):
        return translator.term(node)
    entity = translator.entity(node)
    if isinstance(entity, KnownObject) or entity.picked is not None:
        translator.refuse(node, "one of many is picked for each row")
    return Entity(entity.alias, entity.cls, entity.source)


def refuse_if_several(translator: Translator, node: AsSet) -> None:
    """Refuse a value that only an evaluation can tell from a collection."""
    if node.source.type != types.ANY:
        return
    column_type = translator.term(node.source).column_type
    if column_type is None or isinstance(column_type, JSON | ARRAY | PickleType | TypeDecorator):
        translator.refuse(node, "it may be a collection")


def is_missing_in(translator: Translator, node: TypedNode) -> SqlColumn:
    """Return the condition that a value or an object is null."""
    if not isinstance(node.type, ObjectType):
        return _is_missing_value(translator.term(node))
    match translator.entity(node):
        case KnownObject(value=value):
            return true() if value is None else false()
        case entity:
            return is_missing(entity)


def _is_missing_value(term: Term) -> SqlColumn:
    """Return the condition that a value is null. In JSON, null is a text, or the column is null."""
    if not isinstance(term.column_type, JSON):
        return term.column.is_(None)
    return or_(term.column.is_(None), func.trim(cast(term.column, String)) == "null")


def is_null(translator: Translator, call: OperatorCall) -> Term:
    return boolean(is_missing_in(translator, call.arguments[0]))


def not_null(translator: Translator, call: OperatorCall) -> Term:
    return boolean(not_(is_missing_in(translator, call.arguments[0])))


def is_null_or_empty(translator: Translator, call: OperatorCall) -> Term:
    value = call.arguments[0]
    if value.type == types.STRING:
        return boolean(columns.null_or_empty(translator.column(value)))
    if value.type == types.ANY:
        translator.refuse(value, "it may be a text, a collection or anything else")
    return boolean(is_missing_in(translator, value))


def when_true(translator: Translator, call: OperatorCall) -> Term:
    condition, value = call.arguments
    return Term(case((translator.condition(condition), translator.column(value)), else_=None), call.type)


def case_true_false(translator: Translator, call: OperatorCall) -> Term:
    return translator.conditional(call, *call.arguments)
