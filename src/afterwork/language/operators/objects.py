"""Operators of any value, and of any object."""

import uuid
from typing import Any

from sqlalchemy import inspect

from afterwork.language.run.evaluation import Closure, Evaluation, VariableFrame
from afterwork.language.run.values import as_elements, text_of
from afterwork.language.sql import classes, columns
from afterwork.language.sql import single_values as sql
from afterwork.language.typed.operator import Declare, EvaluationFunction, FrameFunction

Lazy = tuple[int, Closure]
"""An operand that is evaluated only where it matters."""


@Declare("not Boolean? : Boolean", columns=columns.negated)
def negated(value: bool | None) -> bool:
    """True if the operand is false or null. `not false` = `true`"""
    return not value


@Declare("Any?.oclIsUndefined : Boolean", "As `isNull`; the OMG's name. `null.oclIsUndefined` = `true`")
@Declare("Any?.isNull : Boolean", call=sql.is_null)
def is_null(value: Any) -> bool:
    """True if the value is null. `null.isNull` = `true`"""
    return value is None


@Declare("Any?.notNull : Boolean", call=sql.not_null)
def not_null(value: Any) -> bool:
    """True if the value is not null. `1.notNull` = `true`"""
    return value is not None


@Declare(
    "Any?.isNullOrEmpty : Boolean",
    "True if the value is null, or an empty text or collection. `''.isNullOrEmpty` = `true`",
)
@Declare("Any?->isNullOrEmpty : Boolean", call=sql.is_null_or_empty)
def is_null_or_empty(value: Any) -> bool:
    """True if the value is null, or an empty text or collection. `''->isNullOrEmpty` = `true`"""
    return value == "" or not as_elements(value)


@Declare("Boolean?.whenTrue(T?) : T", kind=FrameFunction, call=sql.when_true)
def when_true(frame: VariableFrame, condition: Any, then: Lazy) -> Any:
    """The value of the operand, or the effect of the action, if the condition is true; else null. `true.whenTrue(1)` =
    `1`"""
    return then[1](frame) if condition else None


@Declare("Boolean?.caseTrueFalse(T?, T?) : T", kind=FrameFunction, call=sql.case_true_false)
def case_true_false(frame: VariableFrame, condition: Any, yes: Lazy, no: Lazy) -> Any:
    """The first value if the condition is true, else the second. `false.caseTrueFalse(1, 2)` = `2`"""
    return yes[1](frame) if condition else no[1](frame)


as_text = Declare("Value?.toString : String", "As `asString`. `true.toString` = `'true'`")(
    Declare("Value?.asString : String", "The value as text; an empty text for null. `1.5.asString` = `'1.5'`")(text_of)
)


@Declare("Object.externalId : String", kind=EvaluationFunction)
def external_id(evaluation: Evaluation, obj: Any) -> str | None:
    """The external id of the object, such as `Customer!42`; null before it has its key. `self.externalId` =
    `'Customer!1'`"""
    return evaluation.names.external_id(obj)


is_kind_of = Declare(
    "Object.oclIsKindOf(Type(O)) : Boolean",
    "True if the object is of a class or of one of its subclasses. `self.oclIsKindOf(Customer)` = `true`",
    call=classes.is_kind_of,
)(isinstance)


@Declare("Object.oclIsTypeOf(Type(O)) : Boolean", call=classes.is_type_of)
def is_type_of(obj: Any, cls: Any) -> bool:
    """True if the object is of exactly a class. `self.oclIsTypeOf(VipCustomer)` = `false`"""
    return type(obj) is cls


@Declare("Object.oclAsType(Type(O)) : O")
def as_type(obj: Any, cls: Any) -> Any:
    """The object as one of a class; an object of another class is an error. `self.oclAsType(Customer) = self` =
    `true`"""
    if not isinstance(obj, cls):
        raise TypeError(f"This {type(obj).__name__} is no {cls.__name__}.")
    return obj


@Declare("Object.safeCast(Type(O)) : O")
def safe_cast(obj: Any, cls: Any) -> Any:
    """The object if it is of a class, else null. `self.safeCast(VipCustomer)` = `null`"""
    return obj if isinstance(obj, cls) else None


@Declare("Object.oclIsInState(State) : Boolean", kind=EvaluationFunction, call=classes.in_state)
def in_state(evaluation: Evaluation, obj: Any, state: str) -> bool:
    """True if the object is in a state, or in one nested in it: `#Active`, `#Machine.Active`, `#Outer.Active`. A state
    that no machine of its class has is an error. `self.oclIsInState(#Active)` = `true`"""
    if any(attribute.is_in(getattr(obj, attribute.key), state) for attribute in evaluation.names.states(type(obj))):
        return True
    if not evaluation.names.has_state(inspect(obj).mapper.base_mapper.class_, state):  # of another class of its family
        raise ValueError(f"{type(obj).__name__} has no state {state[:40]}.")
    return False


@Declare("Object.isDirty : Boolean")
def is_dirty(obj: Any) -> bool:
    """True if the object has unsaved changes. `self.isDirty` = `false`"""
    return bool(inspect(obj).modified)


@Declare("Object.isDirtyMember(String) : Boolean", kind=EvaluationFunction)
def is_dirty_member(evaluation: Evaluation, obj: Any, name: str) -> bool:
    """True if a member has an unsaved change. `self.isDirtyMember('name')` = `false`"""
    member = evaluation.names.find_member(type(obj), name)
    if member is None:
        raise ValueError(f"{type(obj).__name__} has no member {name[:40]!r}.")
    attribute = inspect(obj).attrs.get(member.key)
    return attribute is not None and bool(attribute.history.has_changes())


type_of = Declare("O.oclType : Type(O)", "The class of the object. `self.oclType = Customer` = `true`")(type)


@Declare("Object.typeName : String")
def type_name(obj: Any) -> str:
    """The name of the object's class. `self.typeName` = `'Customer'`"""
    return type(obj).__name__


@Declare("Type(Guid).newGuid : Guid")
def new_guid(cls: object) -> uuid.UUID:
    """A new unique id. `Guid.newGuid = Guid.newGuid` = `false`"""
    return uuid.uuid4()
