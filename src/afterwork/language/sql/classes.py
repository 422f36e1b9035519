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
    kind = call.arguments[0]
    if not isinstance(kind, TypedConstant) or not isinstance(kind.value, type):
        translator.refuse(call, "the class must be named")
    return all_rows(kind.value)


def of_kind(translator: Translator, call: OperatorCall) -> RowSet:
    """Translate the rows that the narrower class has, too, as objects of the class that they had."""
    source, kind = call.arguments
    rows = translator.unlimited(source)
    if not isinstance(rows.element, Entity) or not isinstance(kind, TypedConstant) or not isinstance(kind.value, type):
        translator.refuse(call, "only objects have classes there")
    narrower = all_rows(kind.value, rows.kind)
    if not issubclass(kind.value, rows.element.cls) or not isinstance(narrower.element, Entity):
        rows.where.append(is_of(rows.element, kind.value))
        return rows
    target = narrower.element
    narrower.where.append(rows.exists(same_object(rows.element, target)))
    narrower.order = None
    return narrower


def _boolean(condition: Column) -> Term:
    return Term(condition, types.BOOLEAN, False)


def is_kind_of(translator: Translator, call: OperatorCall) -> Term:
    """Ask if the class has a row of the same key: right for each way to map inheritance."""
    entity, cls = _asked(translator, call)
    return _boolean(is_of(entity, cls))


def is_type_of(translator: Translator, call: OperatorCall) -> Term:
    entity, cls = _asked(translator, call)
    asked: Mapper[Any] = inspect(cls)
    below = [mapper.class_ for mapper in asked.self_and_descendants if mapper is not asked]
    narrower = [not_(is_of(entity, subclass)) for subclass in below]
    return _boolean(and_(is_of(entity, cls), *narrower))


def _asked(translator: Translator, call: OperatorCall) -> tuple[Entity, type]:
    entity = translator.entity(call.arguments[0])
    kind = call.arguments[1]
    if not isinstance(entity, Entity) or not isinstance(kind, TypedConstant) or not isinstance(kind.value, type):
        translator.refuse(call, "the object is known beforehand")
    return entity, kind.value


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
