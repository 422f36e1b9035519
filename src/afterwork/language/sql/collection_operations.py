"""The SQL of collections made of collections: of objects only, which their keys tell apart."""

from sqlalchemy import not_, or_

from afterwork.language.sql.comparisons import same_objects as the_same
from afterwork.language.sql.rowset import Column, Entity, RowSet, all_rows
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import OperatorCall
from afterwork.language.typed.types import CollectionType, ObjectType


def same(translator: Translator, call: OperatorCall) -> RowSet:
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
    found = all_rows(rows.element.cls)
    assert isinstance(found.element, Entity)
    found.where.append(rows.exists(the_same(rows.element, found.element)))
    found.order = None
    return found


def as_ordered_set(translator: Translator, call: OperatorCall) -> RowSet:
    rows = translator.rows(call.arguments[0])
    source = call.arguments[0].type
    if not (isinstance(source, CollectionType) and source.kind in types.UNIQUE_KINDS):
        translator.refuse(call, "which of two doubles comes first")
    rows.kind = "OrderedSet"
    return rows


def intersection(translator: Translator, call: OperatorCall) -> RowSet:
    rows, found = _both(translator, call)
    rows.where.append(found)
    return rows


def difference(translator: Translator, call: OperatorCall) -> RowSet:
    rows, found = _both(translator, call)
    rows.where.append(not_(found))
    return rows


def _both(translator: Translator, call: OperatorCall) -> tuple[RowSet, Column]:
    """The first rows, and the condition that one is among the second."""
    one, other = translator.unlimited(call.arguments[0]), translator.unlimited(call.arguments[1])
    if not (isinstance(one.element, Entity) and isinstance(other.element, Entity)):
        translator.refuse(call, "only collections of objects can be combined there")
    return one, other.exists(the_same(other.element, one.element))


def union(translator: Translator, call: OperatorCall) -> RowSet:
    one, other = translator.unlimited(call.arguments[0]), translator.unlimited(call.arguments[1])
    kind = call.type.element if isinstance(call.type, CollectionType) else call.type
    if not (isinstance(kind, ObjectType) and isinstance(one.element, Entity) and isinstance(other.element, Entity)):
        translator.refuse(call, "only collections of objects can be combined there")
    found = all_rows(kind.cls)
    assert isinstance(found.element, Entity)
    among = [rows.exists(the_same(rows.element, found.element)) for rows in (one, other)]  # type: ignore[arg-type]
    found.where.append(or_(*among))
    found.order = None
    return found


def excluding(translator: Translator, call: OperatorCall) -> RowSet:
    rows = translator.unlimited(call.arguments[0])
    if not isinstance(rows.element, Entity):
        translator.refuse(call, "only collections of objects can be combined there")
    rows.where.append(not_(the_same(rows.element, translator.entity(call.arguments[1]))))
    return rows
