"""The SQL of operators that make collections of collections: of objects only, which their keys distinguish."""

from sqlalchemy import not_, or_

from afterwork.language.sql.comparisons import same_objects
from afterwork.language.sql.rowset import Column, Entity, RowSet, all_rows
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import OperatorCall
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


def _both(translator: Translator, call: OperatorCall) -> tuple[RowSet, Column]:
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
