"""One operator: its signature, how it is evaluated, its SQL, and its documentation.

Checks, compiling, SQL, completion and the reference (`docs/reference/language.md`) all read it. `Declare` stands on the
function that evaluates it:

    @Declare("String.length : Integer", columns=columns.length)
    def length(text: str) -> int:
        "The number of characters. `'abc'.length` = `3`"
        return len(text)
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from afterwork.language.typed.signature import Signature, parse_signature

EXPLAINED = re.compile(r"(.+) `([^`]+)` = `([^`]+)`")
"""The effect of an operator, and an example: an expression and its result."""


@dataclass(frozen=True, slots=True)
class ValueFunction:
    """A function of the values. The result is null if an operand is whose pattern has no `?`."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class EvaluationFunction:
    """As `ValueFunction`, with the evaluation as first argument: for what needs the session, the clock or the names."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class FrameFunction:
    """A function of the frame and the operands. Lambdas come as (slot, closure), so that loops need few calls."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class DatabaseQuery:
    """A function that makes a SELECT from a typed tree and a frame. The next two operands are limit and offset."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class AssociationFunction:
    """A function of an object, the key of one of its association ends, and values; it changes the end."""

    function: Callable[..., Any]


OperatorFunction = ValueFunction | EvaluationFunction | FrameFunction | DatabaseQuery | AssociationFunction


@dataclass(frozen=True, slots=True)
class ColumnTranslation:
    """A function of column expressions. As with `ValueFunction`, the result is null if an operand is."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class CallTranslation:
    """A function of the translator and the call, for operators that take collections, lambdas or types."""

    function: Callable[..., Any]


@dataclass(frozen=True)
class Operator:
    """One operator of one type of source. `example` is an expression with its result, also an expression."""

    text: str
    value: OperatorFunction
    doc: str
    example: tuple[str, str]
    sql: ColumnTranslation | CallTranslation | None = None
    effects: bool = False

    @cached_property
    def signature(self) -> Signature:
        """The types that it takes and returns."""
        return parse_signature(self.text)

    @property
    def name(self) -> str:
        """Its name as the reference writes it."""
        return self.signature.name


class _Declared(tuple[Operator, ...]):
    """The operators that one function evaluates."""


@dataclass(frozen=True)
class Declare:
    """Declares that a function evaluates the operator with the signature `text`.

    `doc`, or the function's docstring, explains it and ends with an example. `columns` is its SQL as a function of
    columns, `call` its SQL as a function of the translator and the call. One declaration above another is a further
    signature of the same operator, with everything else as below.
    """

    text: str
    doc: str = ""
    kind: type[OperatorFunction] = ValueFunction
    columns: Callable[..., Any] | None = None
    call: Callable[..., Any] | None = None
    effects: bool = False

    def __call__(self, function: Callable[..., Any] | _Declared) -> _Declared:
        if isinstance(function, _Declared):
            first = function[0]
            return _Declared(
                (*function, Operator(self.text, first.value, *self._explained(), first.sql, first.effects))
            )
        sql: ColumnTranslation | CallTranslation | None = None
        if self.columns is not None:
            sql = ColumnTranslation(self.columns)
        elif self.call is not None:
            sql = CallTranslation(self.call)
        explained = self._explained(function.__doc__)
        return _Declared((Operator(self.text, self.kind(function), *explained, sql, self.effects),))

    def _explained(self, docstring: str | None = None) -> tuple[str, tuple[str, str]]:
        """Return the explanation and the example. `python -OO` has no docstrings."""
        match = EXPLAINED.fullmatch(" ".join((self.doc or docstring or "").split()))
        return (match[1], (match[2], match[3])) if match else ("", ("", ""))


def declared_in(*modules: ModuleType) -> Sequence[Operator]:
    """Return the operators that modules declare, in the order in which they stand there."""
    values = (value for module in modules for value in vars(module).values())
    return [operator for value in values if isinstance(value, _Declared) for operator in value]
