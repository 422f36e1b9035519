"""The SQL of classes: all their objects, and tests of the class and the state of an object."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import and_, case, false, func, inspect, literal, not_, or_, true
from sqlalchemy.orm import Mapper, aliased

from afterwork.compat.sqlalchemy_conditions import typed_condition
from afterwork.language.run.evaluation import LocatedError
from afterwork.language.sql import columns
from afterwork.language.sql.comparisons import is_missing
from afterwork.language.sql.dialects import SqlColumn
from afterwork.language.sql.rowset import Entity, RowSet, RowSource, Term, all_rows, boolean, keys, same_object
from afterwork.language.sql.translator import Translator
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import OperatorCall, TypedConstant
from afterwork.language.typed.states import AnyState, MachineStates, StateAttribute
from afterwork.language.typed.types import BOOLEAN


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


def is_kind_of(translator: Translator, call: OperatorCall) -> Term:
    """Ask if the class has a row of the same key: right for each way to map inheritance."""
    entity, cls = _object_and_class(translator, call)
    return _asked_of(entity, is_of(entity, cls))


def is_type_of(translator: Translator, call: OperatorCall) -> Term:
    entity, cls = _object_and_class(translator, call)
    mapper: Mapper[Any] = inspect(cls)
    subclasses = [narrower.class_ for narrower in mapper.self_and_descendants if narrower is not mapper]
    of_none = [not_(is_of(entity, subclass)) for subclass in subclasses]
    return _asked_of(entity, and_(is_of(entity, cls), *of_none))


def _asked_of(entity: Entity, condition: SqlColumn) -> Term:
    """Return what is asked of an object; null where there is none."""
    if not entity.nullable and entity.picked is None:
        return boolean(condition)
    return Term(typed_condition(case((not_(is_missing(entity)), condition))), BOOLEAN)


def _object_and_class(translator: Translator, call: OperatorCall) -> tuple[Entity, type]:
    match translator.entity(call.arguments[0]), call.arguments[1]:
        case Entity() as entity, TypedConstant(value=type() as cls):
            return entity, cls
    return translator.refuse(call, "the object is known beforehand")


def is_of(entity: Entity, cls: type) -> SqlColumn:
    if not issubclass(cls, entity.cls) and not issubclass(entity.cls, cls):
        return false()
    if issubclass(entity.cls, cls):
        return not_(is_missing(entity))
    return narrowed(entity, cls, lambda narrower: true())


def narrowed(entity: Entity, cls: type, condition: Callable[[Entity], SqlColumn]) -> SqlColumn:
    """Return the condition that an object is of a narrower class, and meets a condition as one of that class."""
    alias: Any = aliased(cls)
    source = RowSource.of(alias)
    narrower = Entity(alias, cls, source)
    pairs = zip(keys(alias, cls), keys(entity.alias, entity.cls), strict=True)
    same_key = [left == entity.column(right) for left, right in pairs]
    return RowSet(narrower, [source], "Set").exists(*same_key, condition(narrower))


def in_state(translator: Translator, call: OperatorCall) -> Term:
    """Translate `oclIsInState`: ask each class that the object may be of, as each may have states of its own."""
    source, state = call.arguments
    entity, names = translator.entity(source), translator.frame[0].names
    if not isinstance(entity, Entity) or not translator.is_known(state):
        translator.refuse(call, "the object is known beforehand")
    text = translator.value(state)
    if text is None:
        return translator.parameter(call, None)
    if not names.has_state(entity.cls, text):
        raise LocatedError(f"{entity.cls.__name__} has no state {text[:40]}.", state.at)
    conditions = or_(false(), *_conditions(names, entity, text))
    return _asked_of(entity, func.coalesce(conditions, false()))


def _conditions(names: Names, entity: Entity, text: str) -> list[SqlColumn]:
    own = names.states(entity.cls)
    conditions = [_holds(attribute, text, entity) for attribute in own]
    for cls in names.subclasses(entity.cls):
        own_of_subclass = [attribute for attribute in names.states(cls) if attribute not in own]
        conditions += [narrowed(entity, cls, partial(_holds, attribute, text)) for attribute in own_of_subclass]
    return conditions


def _holds(attribute: StateAttribute, text: str, entity: Entity) -> SqlColumn:
    """Return the condition that the value of an attribute means a state."""
    column = entity.column(getattr(entity.alias, attribute.key))
    match attribute:
        case AnyState():
            return func.replace(func.lower(column), "_", "").in_(attribute.spellings(text))
        case MachineStates(between=None):
            return column.in_(attribute.stored_values(text))
        case MachineStates(between=between):
            padded = literal(between) + column + literal(between)
            values = [literal(f"{between}{value}{between}") for value in attribute.stored_values(text)]
            return or_(false(), *[columns.contains(padded, value) for value in values])
