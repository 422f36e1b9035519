"""The SQL of operators that make collections of collections, or take elements or sections of one in its order.

Only collections of objects, which their keys distinguish, are combined.
"""

from sqlalchemy import UnaryExpression, not_, or_
from sqlalchemy.sql import operators

from afterwork.language.sql.comparisons import same_objects
from afterwork.language.sql.dialects import SqlColumn
from afterwork.language.sql.rowset import Entity, KnownObject, RowSet, Term, all_rows
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import OperatorCall, TypedLambda, TypedNode
from afterwork.language.typed.types import CollectionType, ObjectType


def as_they_are(translator: Translator, call: OperatorCall) -> RowSet:
    rows = translator.rows(call.arguments[0])
    assert isinstance(call.type, CollectionType)
    rows.kind = call.type.kind
    return rows


def as_set(translator: Translator, call: OperatorCall) -> RowSet:
    rows = translator.rows(call.arguments[0])
    if rows.kind in types.UNIQUE_KINDS:
        return rows
    if rows.limited:
        translator.refuse(call, "of a section of a collection only the size can be asked")
    if not isinstance(rows.element, Entity):
        rows.distinct, rows.order, rows.kind = True, None, "Set"
        return rows
    objects = all_rows(rows.element.cls)
    assert isinstance(objects.element, Entity)
    objects.where.append(rows.exists(same_objects(rows.element, objects.element)))
    objects.order = None
    return objects


def as_ordered_set(translator: Translator, call: OperatorCall) -> RowSet:
    rows = translator.rows(call.arguments[0])
    source = call.arguments[0].type
    if not (isinstance(source, CollectionType) and source.kind in types.UNIQUE_KINDS):
        translator.refuse(call, "which of two doubles comes first")
    rows.kind = "OrderedSet"
    return rows


def intersection(translator: Translator, call: OperatorCall) -> RowSet:
    rows, in_second = _both(translator, call)
    rows.where.append(in_second)
    return rows


def difference(translator: Translator, call: OperatorCall) -> RowSet:
    rows, in_second = _both(translator, call)
    rows.where.append(not_(in_second))
    return rows


def _both(translator: Translator, call: OperatorCall) -> tuple[RowSet, SqlColumn]:
    """Return the rows of the first collection, and the condition that a row is in the second."""
    first, second = translator.unlimited(call.arguments[0]), translator.unlimited(call.arguments[1])
    if not (isinstance(first.element, Entity) and isinstance(second.element, Entity)):
        translator.refuse(call, "only collections of objects can be combined there")
    return first, second.exists(same_objects(second.element, first.element))


def union(translator: Translator, call: OperatorCall) -> RowSet:
    first, second = translator.unlimited(call.arguments[0]), translator.unlimited(call.arguments[1])
    element_type = call.type.element if isinstance(call.type, CollectionType) else call.type
    both_objects = isinstance(first.element, Entity) and isinstance(second.element, Entity)
    if not (isinstance(element_type, ObjectType) and both_objects):
        translator.refuse(call, "only collections of objects can be combined there")
    objects = all_rows(element_type.cls)
    assert isinstance(objects.element, Entity)
    among = [rows.exists(same_objects(rows.element, objects.element)) for rows in (first, second)]  # type: ignore[arg-type]
    objects.where.append(or_(*among))
    objects.order = None
    return objects


def excluding(translator: Translator, call: OperatorCall) -> RowSet:
    rows = translator.unlimited(call.arguments[0])
    if not isinstance(rows.element, Entity):
        translator.refuse(call, "only collections of objects can be combined there")
    rows.where.append(not_(same_objects(rows.element, translator.entity(call.arguments[1]))))
    return rows


def first(translator: Translator, call: OperatorCall) -> Entity | Term:
    return _picked(_ordered(translator, call.arguments[0]), 0)


def last(translator: Translator, call: OperatorCall) -> Entity | Term:
    rows = _ordered(translator, call.arguments[0])
    rows.order = _reversed(rows.order or [])
    return _picked(rows, 0)


def at(translator: Translator, call: OperatorCall) -> Entity | Term | KnownObject:
    """Translate `at`. Positions are counted from 1; beyond the elements is null."""
    rows = _ordered(translator, call.arguments[0])
    position = _known_number(translator, call.arguments[1])
    if position is None or position < 1:
        return KnownObject(None) if isinstance(rows.element, Entity) else translator.parameter(call, None)
    return _picked(rows, position - 1)


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
    first_position, last_position = _known_number(translator, low), _known_number(translator, high)
    if first_position is None or last_position is None:
        return rows
    start, end = max(first_position, 1), last_position
    rows.limit, rows.offset, rows.kind = max(end - start + 1, 0), start - 1, "Sequence"
    return rows


def reverse(translator: Translator, call: OperatorCall) -> RowSet:
    rows = _ordered(translator, call.arguments[0])
    rows.order = _reversed(rows.order or [])
    return rows


def _ordered(translator: Translator, node: TypedNode) -> RowSet:
    rows = translator.unlimited(node)
    if rows.order is None or rows.distinct:
        translator.refuse(node, "it has no order there, so nothing comes first. Use orderBy")
    return rows


def _picked(rows: RowSet, position: int) -> Entity | Term:
    rows.offset = position or None
    match rows.element:
        case Entity(alias=alias, cls=cls, source=source):
            return Entity(alias, cls, source, True, rows)
        case Term(column=column, type=type_, column_type=column_type, encoded=encoded):
            return Term(rows.select(column).limit(1).scalar_subquery(), type_, True, column_type, encoded)


def _known_number(translator: Translator, node: TypedNode) -> int | None:
    if not translator.is_known(node):
        translator.refuse(node, "the position must be known beforehand")
    value = translator.value(node)
    return value if isinstance(value, int) else None


def _reversed(order: list[SqlColumn]) -> list[SqlColumn]:
    """Return the opposite order, with null at the other end, too."""
    return [_opposite(column) for column in order]


def _opposite(column: SqlColumn) -> SqlColumn:
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
