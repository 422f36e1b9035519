"""The SQL of the states of objects."""

from functools import partial

from sqlalchemy import false, func, literal, or_

from afterwork.language.run.evaluation import LocatedError
from afterwork.language.sql import columns
from afterwork.language.sql.classes import narrowed
from afterwork.language.sql.rowset import Column, Entity, Term
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import OperatorCall
from afterwork.language.typed.states import AnyState, MachineStates, StateAttribute


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
    return Term(func.coalesce(conditions, false()), types.BOOLEAN, False)


def _conditions(names: Names, entity: Entity, text: str) -> list[Column]:
    own = names.states(entity.cls)
    conditions = [_holds(attribute, text, entity) for attribute in own]
    for cls in names.subclasses(entity.cls):
        own_of_subclass = [attribute for attribute in names.states(cls) if attribute not in own]
        conditions += [narrowed(entity, cls, partial(_holds, attribute, text)) for attribute in own_of_subclass]
    return conditions


def _holds(attribute: StateAttribute, text: str, entity: Entity) -> Column:
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
