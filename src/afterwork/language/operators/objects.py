"""What all values and objects can be asked for."""

import uuid
from typing import Any

from sqlalchemy import inspect

from afterwork.language.run.evaluation import Code, Frame, Run
from afterwork.language.run.values import elements, text_of
from afterwork.language.sql import classes, columns, object_states, objects
from afterwork.language.typed.operator import Columns, InRun, Loop, Operator, Plain, Rows

Lazy = tuple[int, Code]
"""An operand that is asked for only where it matters."""


def when_true(frame: Frame, condition: Any, then: Lazy) -> Any:
    return then[1](frame) if condition else None


def case_true_false(frame: Frame, condition: Any, yes: Lazy, no: Lazy) -> Any:
    return yes[1](frame) if condition else no[1](frame)


def in_state(run: Run, obj: Any, state: str) -> bool:
    """An object of another class of its family may be in a state that this one has not."""
    if any(attribute.is_in(getattr(obj, attribute.key), state) for attribute in run.names.states(type(obj))):
        return True
    if not run.names.have_state(inspect(obj).mapper.base_mapper.class_, state):
        raise ValueError(f"{type(obj).__name__} has no state {state[:40]}.")
    return False


def is_exactly(obj: Any, kind: Any) -> bool:
    return type(obj) is kind


def as_type(obj: Any, kind: Any) -> Any:
    if not isinstance(obj, kind):
        raise TypeError(f"This {type(obj).__name__} is no {kind.__name__}.")
    return obj


def safe_cast(obj: Any, kind: Any) -> Any:
    return obj if isinstance(obj, kind) else None


def is_dirty(obj: Any) -> bool:
    return bool(inspect(obj).modified)


def is_dirty_member(run: Run, obj: Any, name: str) -> bool:
    """Whether it holds another value than the database, as far as is known."""
    member = run.names.member(type(obj), name)
    if member is None:
        raise ValueError(f"{type(obj).__name__} has no member {name[:40]!r}.")
    attribute = inspect(obj).attrs.get(member.key)
    return attribute is not None and bool(attribute.history.has_changes())


def not_null(value: Any) -> bool:
    return value is not None


def is_null_or_empty(value: Any) -> bool:
    return value == "" or not elements(value)


ROWS = (
    Operator(
        "not Boolean? : Boolean",
        Plain(lambda value: not value),
        "True if it is false or null.",
        ("not false", "true"),
        Columns(columns.negated),
    ),
    Operator(
        "Any?.isNull : Boolean",
        Plain(lambda value: value is None),
        "Whether it is null.",
        ("null.isNull", "true"),
        Rows(objects.is_null),
    ),
    Operator(
        "Any?.notNull : Boolean",
        Plain(not_null),
        "Whether it is not null.",
        ("1.notNull", "true"),
        Rows(objects.not_null),
    ),
    Operator(
        "Any?.oclIsUndefined : Boolean",
        Plain(lambda value: value is None),
        "As `isNull`; the OMG's name.",
        ("null.oclIsUndefined", "true"),
        Rows(objects.is_null),
    ),
    Operator(
        "Any?->isNullOrEmpty : Boolean",
        Plain(is_null_or_empty),
        "Whether it is null or has no characters.",
        ("''->isNullOrEmpty", "true"),
        Rows(objects.is_null_or_empty),
    ),
    Operator(
        "Any?.isNullOrEmpty : Boolean",
        Plain(is_null_or_empty),
        "Whether it is null or has no characters.",
        ("''.isNullOrEmpty", "true"),
        Rows(objects.is_null_or_empty),
    ),
    Operator(
        "Boolean?.whenTrue(T?) : T",
        Loop(when_true),
        "The value, or the action, if it is true; else null.",
        ("true.whenTrue(1)", "1"),
        Rows(objects.when_true),
    ),
    Operator(
        "Boolean?.caseTrueFalse(T?, T?) : T",
        Loop(case_true_false),
        "The first value if it is true, else the second.",
        ("false.caseTrueFalse(1, 2)", "2"),
        Rows(objects.case_true_false),
    ),
    Operator("Value?.asString : String", Plain(text_of), "As a text; null is an empty one.", ("1.5.asString", "'1.5'")),
    Operator("Value?.toString : String", Plain(text_of), "As `asString`.", ("true.toString", "'true'")),
    Operator(
        "Object.externalId : String",
        InRun(lambda run, obj: run.names.external_id(obj)),
        "The text that names an object, `Customer!42`; null before it has its key.",
        ("self.externalId", "'Customer!1'"),
    ),
    Operator(
        "Object.oclIsKindOf(Type(O)) : Boolean",
        Plain(isinstance),
        "Whether an object is of a class or of a subclass of it.",
        ("self.oclIsKindOf(Customer)", "true"),
        Rows(classes.is_kind_of),
    ),
    Operator(
        "Object.oclIsTypeOf(Type(O)) : Boolean",
        Plain(is_exactly),
        "Whether an object is of exactly a class.",
        ("self.oclIsTypeOf(VipCustomer)", "false"),
        Rows(classes.is_type_of),
    ),
    Operator(
        "Object.oclAsType(Type(O)) : O",
        Plain(as_type),
        "The object, known to be of a class. Another one is an error.",
        ("self.oclAsType(Customer) = self", "true"),
    ),
    Operator(
        "Object.safeCast(Type(O)) : O",
        Plain(safe_cast),
        "The object if it is of a class, else null.",
        ("self.safeCast(VipCustomer)", "null"),
    ),
    Operator(
        "Object.oclIsInState(State) : Boolean",
        InRun(in_state),
        "Whether an object is in a state, or in one within it: `#Active`, `#Machine.Active`, `#Outer.Active`. A state "
        "that no machine of its class has is an error.",
        ("self.oclIsInState(#Active)", "true"),
        Rows(object_states.in_state),
    ),
    Operator(
        "Object.isDirty : Boolean",
        Plain(is_dirty),
        "Whether it has changes that are not yet saved.",
        ("self.isDirty", "false"),
    ),
    Operator(
        "Object.isDirtyMember(String) : Boolean",
        InRun(is_dirty_member),
        "Whether one member has a change that is not yet saved.",
        ("self.isDirtyMember('name')", "false"),
    ),
    Operator("O.oclType : Type(O)", Plain(type), "Its class.", ("self.oclType = Customer", "true")),
    Operator(
        "Object.typeName : String",
        Plain(lambda obj: type(obj).__name__),
        "The name of its class.",
        ("self.typeName", "'Customer'"),
    ),
    Operator(
        "Type(Guid).newGuid : Guid",
        Plain(lambda kind: uuid.uuid4()),
        "A new unique id.",
        ("Guid.newGuid = Guid.newGuid", "false"),
    ),
)
