"""What there is to say of an operator, in one place: its signature, its value, its SQL, and what it means.

Checks, compiling, SQL, completion and the reference (`docs/reference/language.md`) all read these rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from afterwork.language.typed.signature import Signature, parse_signature


@dataclass(frozen=True, slots=True)
class ValueFunction:
    """A function of the values. Where one is null that the signature has no `?` for, the result is null."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class EvaluationFunction:
    """As `Plain`, but first it takes the run: for what needs the session, the clock or the names."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class FrameFunction:
    """A function of the frame and the operands; lambdas come as (slot, body), for a loop with few calls."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class DatabaseQuery:
    """A function that makes a SELECT of a typed tree and a frame, with a limit and an offset, the next two operands."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class AssociationFunction:
    """A function of an object, the key of one of its association ends, and the values; for what changes the end."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ColumnTranslation:
    """SQL of SQL: a function of column expressions. The result is null where an operand is, as with `Plain`."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class CallTranslation:
    """SQL that a function of the translator and the call makes, for what takes collections, lambdas or types."""

    function: Callable[..., Any]


@dataclass(frozen=True)
class Operator:
    """One operator of one type of source. `example` is an expression and what it gives, as an expression."""

    text: str
    value: ValueFunction | EvaluationFunction | FrameFunction | DatabaseQuery | AssociationFunction
    doc: str
    example: tuple[str, str]
    sql: ColumnTranslation | CallTranslation | None = None
    effects: bool = False

    @cached_property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return parse_signature(self.text)

    @property
    def name(self) -> str:
        """Its name, as it is written in the reference."""
        return self.signature.name
