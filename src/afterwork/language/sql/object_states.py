"""The SQL of the states that objects are in."""

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
    """Ask each of the classes that an object may be of: each may have states of its own."""
    source, state = call.arguments
    entity, names = translator.entity(source), translator.frame[0].names
    if not isinstance(entity, Entity) or not translator.is_known(state):
        translator.refuse(call, "the object is known beforehand")
    wanted = translator.value(state)
    if wanted is None:
        return translator.parameter(call, None)
    if not names.has_state(entity.cls, wanted):
        raise LocatedError(f"{entity.cls.__name__} has no state {wanted[:40]}.", state.at)
    found = or_(false(), *_conditions(names, entity, wanted))
    return Term(func.coalesce(found, false()), types.BOOLEAN, False)


def _conditions(names: Names, entity: Entity, wanted: str) -> list[Column]:
    own = names.states(entity.cls)
    found = [_holds(attribute, wanted, entity) for attribute in own]
    for cls in names.subclasses(entity.cls):
        more = [attribute for attribute in names.states(cls) if attribute not in own]
        found += [narrowed(entity, cls, partial(_holds, attribute, wanted)) for attribute in more]
    return found


def _holds(attribute: StateAttribute, wanted: str, entity: Entity) -> Column:
    """Return the condition that what the attribute holds means a state."""
    column = entity.column(getattr(entity.alias, attribute.key))
    match attribute:
        case AnyState():
            return func.replace(func.lower(column), "_", "").in_(attribute.spellings(wanted))
        case MachineStates(between=None):
            return column.in_(attribute.held(wanted))
        case MachineStates(between=between):
            written = literal(between) + column + literal(between)
            held = [literal(f"{between}{one}{between}") for one in attribute.held(wanted)]
            return or_(false(), *[columns.contains(written, one) for one in held])
