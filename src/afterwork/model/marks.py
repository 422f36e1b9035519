"""The marks that declarations leave in a class, also where another decorator hides one."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import FunctionType

from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property

from afterwork.model.derived import Derived
from afterwork.model.machine.declaration import Machine
from afterwork.model.method import Method
from afterwork.model.static_method import StaticMethod
from afterwork.model.variable import Variable
from afterwork.model.viewmodel import Action, Column, OnException

MARKS_OF_MAPPED: Mapping[type, str] = {
    Method: "@aw.method",
    StaticMethod: "@aw.method",
    Derived: "@aw.derived",
    Machine: "aw.machine",
}

MARKS_OF_VIEW_MODELS: Mapping[type, str] = {
    Action: "@aw.action",
    Column: "@aw.column",
    OnException: "@aw.on_exception",
    Variable: "aw.variable",
}

MARKS: Mapping[type, str] = {**MARKS_OF_MAPPED, **MARKS_OF_VIEW_MODELS}

WRAPPERS: Mapping[type, str] = {
    classmethod: "__func__",
    staticmethod: "__func__",
    property: "fget",
    hybrid_property: "fget",
    hybrid_method: "func",
    cached_property: "func",
    FunctionType: "__wrapped__",
}
"""The classes of what decorators make of a function, each with the attribute that keeps it."""


def mark_of(value: object, marks: Mapping[type, str]) -> str | None:
    """Return the mark of what a class has under a name; None if it has none of these."""
    return next((mark for kind, mark in marks.items() if isinstance(value, kind)), None)


def hidden_marks(cls: type) -> Iterator[str]:
    """Yield the marks of a class that are hidden, since another decorator stands above them."""
    for name, value in vars(cls).items():
        mark = None if mark_of(value, MARKS) else _mark_below(value)
        if mark is not None:
            yield (
                f"{cls.__name__}.{name}: {type(value).__name__} stands above {mark}, and hides it, so that nothing "
                f"would ever run. Leave it out, or let {mark} stand above it."
            )


def _mark_below(value: object) -> str | None:
    """Return the mark below a decorator, or below several; None without one."""
    for kind, attribute in WRAPPERS.items():
        if isinstance(value, kind):
            inner = getattr(value, attribute, None)
            return mark_of(inner, MARKS) or _mark_below(inner)
    return None
