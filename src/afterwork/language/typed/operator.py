"""One operator: its signature, how it is evaluated, its SQL, and its documentation.

Checks, compiling, SQL, completion and the reference (`docs/reference/language.md`) all read these rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from afterwork.language.typed.signature import Signature, parse_signature


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
    value: ValueFunction | EvaluationFunction | FrameFunction | DatabaseQuery | AssociationFunction
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
