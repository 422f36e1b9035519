"""The SQL of single elements and sections. They need an order that means something."""

from sqlalchemy import UnaryExpression
from sqlalchemy.sql import operators

from afterwork.language.sql.rowset import Column, Entity, KnownObject, RowSet, Term
from afterwork.language.sql.translator import Translator
from afterwork.language.typed.nodes import OperatorCall, TypedLambda, TypedNode


def first(translator: Translator, call: OperatorCall) -> Entity | Term:
    return _picked(_ordered(translator, call.arguments[0]), 0)


def last(translator: Translator, call: OperatorCall) -> Entity | Term:
    rows = _ordered(translator, call.arguments[0])
    rows.order = _turned(rows.order or [])
    return _picked(rows, 0)


def at(translator: Translator, call: OperatorCall) -> Entity | Term | KnownObject:
    """Places are counted from 1; where there is none, there is null."""
    rows = _ordered(translator, call.arguments[0])
    place = _number(translator, call.arguments[1])
    if place is None or place < 1:
        return KnownObject(None) if isinstance(rows.element, Entity) else translator.parameter(call, None)
    return _picked(rows, place - 1)


def any_of(translator: Translator, call: OperatorCall) -> Entity | Term:
    rows = _ordered(translator, call.arguments[0])
    condition = call.arguments[1]
    assert isinstance(condition, TypedLambda)
    translator.bind(condition.variables[0].slot, rows.element)
    rows.where.append(translator.condition(condition.body))
    return _picked(rows, 0)


def section(translator: Translator, call: OperatorCall) -> RowSet:
    source, low, high = call.arguments
    rows = _ordered(translator, source)
    first_place, last_place = _number(translator, low), _number(translator, high)
    if first_place is None or last_place is None:
        return rows
    start, end = max(first_place, 1), last_place
    rows.limit, rows.offset, rows.kind = max(end - start + 1, 0), start - 1, "Sequence"
    return rows


def reverse(translator: Translator, call: OperatorCall) -> RowSet:
    rows = _ordered(translator, call.arguments[0])
    rows.order = _turned(rows.order or [])
    return rows


def _ordered(translator: Translator, node: TypedNode) -> RowSet:
    rows = translator.unlimited(node)
    if rows.order is None or rows.distinct:
        translator.refuse(node, "it has no order there, so nothing comes first. Use orderBy")
    return rows


def _picked(rows: RowSet, place: int) -> Entity | Term:
    rows.offset = place or None
    match rows.element:
        case Entity(alias=alias, cls=cls, root=root):
            return Entity(alias, cls, root, True, rows)
        case Term(column=column, type=kind, column_type=kept_as, encoded=encoded):
            return Term(rows.select(column).limit(1).scalar_subquery(), kind, True, kept_as, encoded)


def _number(translator: Translator, node: TypedNode) -> int | None:
    if not translator.is_known(node):
        translator.refuse(node, "the place must be known beforehand")
    value = translator.value(node)
    return value if isinstance(value, int) else None


def _turned(order: list[Column]) -> list[Column]:
    """The opposite order; null is at the other end, too."""
    return [_opposite(column) for column in order]


def _opposite(column: Column) -> Column:
    if isinstance(column, UnaryExpression):
        match column.modifier:
            case operators.nulls_first_op:
                return _opposite(column.element).nulls_last()
            case operators.nulls_last_op:
                return _opposite(column.element).nulls_first()
            case operators.desc_op:
                return column.element.asc()
            case operators.asc_op:
                return column.element.desc()
    return column.desc()
