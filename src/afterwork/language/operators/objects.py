"""Operators of any value, and of any object."""

import uuid
from typing import Any

from sqlalchemy import inspect

from afterwork.language.run.evaluation import Closure, Evaluation, Frame
from afterwork.language.run.values import as_elements, text_of
from afterwork.language.sql import classes, columns, object_states, objects
from afterwork.language.typed.operator import (
    CallTranslation,
    ColumnTranslation,
    EvaluationFunction,
    FrameFunction,
    Operator,
    ValueFunction,
)

Lazy = tuple[int, Closure]
"""An operand that is evaluated only where it matters."""


def when_true(frame: Frame, condition: Any, then: Lazy) -> Any:
    return then[1](frame) if condition else None


def case_true_false(frame: Frame, condition: Any, yes: Lazy, no: Lazy) -> Any:
    return yes[1](frame) if condition else no[1](frame)


def in_state(evaluation: Evaluation, obj: Any, state: str) -> bool:
    """Return whether an object is in a state of its own class or of another class of its family."""
    if any(attribute.is_in(getattr(obj, attribute.key), state) for attribute in evaluation.names.states(type(obj))):
        return True
    if not evaluation.names.has_state(inspect(obj).mapper.base_mapper.class_, state):
        raise ValueError(f"{type(obj).__name__} has no state {state[:40]}.")
    return False


def is_exactly(obj: Any, cls: Any) -> bool:
    return type(obj) is cls


def as_type(obj: Any, cls: Any) -> Any:
    if not isinstance(obj, cls):
        raise TypeError(f"This {type(obj).__name__} is no {cls.__name__}.")
    return obj


def safe_cast(obj: Any, cls: Any) -> Any:
    return obj if isinstance(obj, cls) else None


def is_dirty(obj: Any) -> bool:
    return bool(inspect(obj).modified)


def is_dirty_member(evaluation: Evaluation, obj: Any, name: str) -> bool:
    """Return whether a member has another value than the database, as far as the session knows."""
    member = evaluation.names.find_member(type(obj), name)
    if member is None:
        raise ValueError(f"{type(obj).__name__} has no member {name[:40]!r}.")
    attribute = inspect(obj).attrs.get(member.key)
    return attribute is not None and bool(attribute.history.has_changes())


def not_null(value: Any) -> bool:
    return value is not None


def is_null_or_empty(value: Any) -> bool:
    return value == "" or not as_elements(value)


OPERATORS = (
    Operator(
        "not Boolean? : Boolean",
        ValueFunction(lambda value: not value),
        "True if the operand is false or null.",
        ("not false", "true"),
        ColumnTranslation(columns.negated),
    ),
    Operator(
        "Any?.isNull : Boolean",
        ValueFunction(lambda value: value is None),
        "True if the value is null.",
        ("null.isNull", "true"),
        CallTranslation(objects.is_null),
    ),
    Operator(
        "Any?.notNull : Boolean",
        ValueFunction(not_null),
        "True if the value is not null.",
        ("1.notNull", "true"),
        CallTranslation(objects.not_null),
    ),
    Operator(
        "Any?.oclIsUndefined : Boolean",
        ValueFunction(lambda value: value is None),
        "As `isNull`; the OMG's name.",
        ("null.oclIsUndefined", "true"),
        CallTranslation(objects.is_null),
    ),
    Operator(
        "Any?->isNullOrEmpty : Boolean",
        ValueFunction(is_null_or_empty),
        "True if the value is null, or an empty text or collection.",
        ("''->isNullOrEmpty", "true"),
        CallTranslation(objects.is_null_or_empty),
    ),
    Operator(
        "Any?.isNullOrEmpty : Boolean",
        ValueFunction(is_null_or_empty),
        "True if the value is null, or an empty text or collection.",
        ("''.isNullOrEmpty", "true"),
        CallTranslation(objects.is_null_or_empty),
    ),
    Operator(
        "Boolean?.whenTrue(T?) : T",
        FrameFunction(when_true),
        "The value of the operand, or the effect of the action, if the condition is true; else null.",
        ("true.whenTrue(1)", "1"),
        CallTranslation(objects.when_true),
    ),
    Operator(
        "Boolean?.caseTrueFalse(T?, T?) : T",
        FrameFunction(case_true_false),
        "The first value if the condition is true, else the second.",
        ("false.caseTrueFalse(1, 2)", "2"),
        CallTranslation(objects.case_true_false),
    ),
    Operator(
        "Value?.asString : String",
        ValueFunction(text_of),
        "The value as text; an empty text for null.",
        ("1.5.asString", "'1.5'"),
    ),
    Operator("Value?.toString : String", ValueFunction(text_of), "As `asString`.", ("true.toString", "'true'")),
    Operator(
        "Object.externalId : String",
        EvaluationFunction(lambda evaluation, obj: evaluation.names.external_id(obj)),
        "The external id of the object, such as `Customer!42`; null before it has its key.",
        ("self.externalId", "'Customer!1'"),
    ),
    Operator(
        "Object.oclIsKindOf(Type(O)) : Boolean",
        ValueFunction(isinstance),
        "True if the object is of a class or of one of its subclasses.",
        ("self.oclIsKindOf(Customer)", "true"),
        CallTranslation(classes.is_kind_of),
    ),
    Operator(
        "Object.oclIsTypeOf(Type(O)) : Boolean",
        ValueFunction(is_exactly),
        "True if the object is of exactly a class.",
        ("self.oclIsTypeOf(VipCustomer)", "false"),
        CallTranslation(classes.is_type_of),
    ),
    Operator(
        "Object.oclAsType(Type(O)) : O",
        ValueFunction(as_type),
        "The object as one of a class; an object of another class is an error.",
        ("self.oclAsType(Customer) = self", "true"),
    ),
    Operator(
        "Object.safeCast(Type(O)) : O",
        ValueFunction(safe_cast),
        "The object if it is of a class, else null.",
        ("self.safeCast(VipCustomer)", "null"),
    ),
    Operator(
        "Object.oclIsInState(State) : Boolean",
        EvaluationFunction(in_state),
        "True if the object is in a state, or in one nested in it: `#Active`, `#Machine.Active`, `#Outer.Active`. A "
        "state that no machine of its class has is an error.",
        ("self.oclIsInState(#Active)", "true"),
        CallTranslation(object_states.in_state),
    ),
    Operator(
        "Object.isDirty : Boolean",
        ValueFunction(is_dirty),
        "True if the object has unsaved changes.",
        ("self.isDirty", "false"),
    ),
    Operator(
        "Object.isDirtyMember(String) : Boolean",
        EvaluationFunction(is_dirty_member),
        "True if a member has an unsaved change.",
        ("self.isDirtyMember('name')", "false"),
    ),
    Operator(
        "O.oclType : Type(O)", ValueFunction(type), "The class of the object.", ("self.oclType = Customer", "true")
    ),
    Operator(
        "Object.typeName : String",
        ValueFunction(lambda obj: type(obj).__name__),
        "The name of the object's class.",
        ("self.typeName", "'Customer'"),
    ),
    Operator(
        "Type(Guid).newGuid : Guid",
        ValueFunction(lambda cls: uuid.uuid4()),
        "A new unique id.",
        ("Guid.newGuid = Guid.newGuid", "false"),
    ),
)
