"""The SQL of classes: all their objects, and tests of an object's class."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import and_, false, inspect, not_, true
from sqlalchemy.orm import Mapper, aliased

from afterwork.language.sql.comparisons import is_missing
from afterwork.language.sql.rowset import Column, Entity, RowSet, RowSource, Term, all_rows, keys, same_object
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import OperatorCall, TypedConstant


def all_instances(translator: Translator, call: OperatorCall) -> RowSet:
    match call.arguments[0]:
        case TypedConstant(value=type() as cls):
            return all_rows(cls)
    return translator.refuse(call, "the class must be named")


def of_kind(translator: Translator, call: OperatorCall) -> RowSet:
    source, named = call.arguments
    rows = translator.unlimited(source)
    match rows.element, named:
        case Entity() as element, TypedConstant(value=type() as cls):
            return _of_class(rows, element, cls)
    return translator.refuse(call, "only objects have classes there")


def _of_class(rows: RowSet, element: Entity, cls: type) -> RowSet:
    """Return the rows that the narrower class has, too, as objects of the narrower class."""
    if not issubclass(cls, element.cls):
        rows.where.append(is_of(element, cls))
        return rows
    narrower = all_rows(cls, rows.kind)
    assert isinstance(narrower.element, Entity)
    narrower.where.append(rows.exists(same_object(element, narrower.element)))
    narrower.order = None
    return narrower


def _boolean(condition: Column) -> Term:
    return Term(condition, types.BOOLEAN, False)


def is_kind_of(translator: Translator, call: OperatorCall) -> Term:
    """Ask if the class has a row of the same key: right for each way to map inheritance."""
    entity, cls = _object_and_class(translator, call)
    return _boolean(is_of(entity, cls))


def is_type_of(translator: Translator, call: OperatorCall) -> Term:
    entity, cls = _object_and_class(translator, call)
    mapper: Mapper[Any] = inspect(cls)
    subclasses = [narrower.class_ for narrower in mapper.self_and_descendants if narrower is not mapper]
    of_none = [not_(is_of(entity, subclass)) for subclass in subclasses]
    return _boolean(and_(is_of(entity, cls), *of_none))


def _object_and_class(translator: Translator, call: OperatorCall) -> tuple[Entity, type]:
    match translator.entity(call.arguments[0]), call.arguments[1]:
        case Entity() as entity, TypedConstant(value=type() as cls):
            return entity, cls
    return translator.refuse(call, "the object is known beforehand")


def is_of(entity: Entity, cls: type) -> Column:
    """Return the condition that an object is of a class."""
    if not issubclass(cls, entity.cls) and not issubclass(entity.cls, cls):
        return false()
    if issubclass(entity.cls, cls):
        return not_(is_missing(entity))
    return narrowed(entity, cls, lambda narrower: true())


def narrowed(entity: Entity, cls: type, condition: Callable[[Entity], Column]) -> Column:
    """Return the condition that an object is of a narrower class, and meets a condition as one of that class."""
    alias: Any = aliased(cls)
    source = RowSource.of(alias)
    narrower = Entity(alias, cls, source)
    pairs = zip(keys(alias, cls), keys(entity.alias, entity.cls), strict=True)
    same_key = [left == entity.column(right) for left, right in pairs]
    return RowSet(narrower, [source], "Set").exists(*same_key, condition(narrower))
