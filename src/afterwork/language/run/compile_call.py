"""Calls of operators as closures: what is null is handed through, what takes long is counted, what is large refused."""

from collections.abc import Callable, Sequence
from typing import Any

from afterwork.language.run.compile_database import in_database
from afterwork.language.run.evaluation import Closure, Frame, LocatedError, checked_integer
from afterwork.language.syntax.tree import TextRange
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Navigation, OperatorCall, TypedLambda, TypedNode
from afterwork.language.typed.operator import (
    AssociationFunction,
    DatabaseQuery,
    EvaluationFunction,
    FrameFunction,
    ValueFunction,
)
from afterwork.language.typed.signature import TypePattern
from afterwork.language.typed.types import CollectionType

EVALUATION_ERRORS = (LocatedError, TypeError, ValueError, ArithmeticError, LookupError)
"""What the language raises, and what Python does where operands don't fit."""


def called(node: OperatorCall, compiled: Callable[[TypedNode], Closure]) -> Closure:
    """The closure of a call."""
    match node.operator.value:
        case FrameFunction(function=function) if isinstance(node.arguments[0].type, CollectionType):
            return _checked(_loop(function, node, compiled), node)
        case FrameFunction(function=function):
            code = _lazy(function, node, compiled)
        case DatabaseQuery(function=function):
            code = in_database(function, node, compiled)
        case AssociationFunction(function=function):
            code = _on_end(function, node, compiled)
        case EvaluationFunction(function=function):
            code = _applied(lambda frame, *given: function(frame[0], *given), node, compiled)
        case ValueFunction(function=function):
            code = _plain(function, node, compiled)
    return _checked(_located(code, node.at), node)


def _plain(function: Callable[..., Any], node: OperatorCall, compiled: Callable[[TypedNode], Closure]) -> Closure:
    """Most operators have one or two operands: these are called with as few detours as can be."""
    if isinstance(node.arguments[0].type, CollectionType):
        return _applied(lambda frame, *given: function(*given), node, compiled)
    nulls = nullables(node)
    match [compiled(argument) for argument in node.arguments]:
        case [only] if nulls == [True]:
            return lambda frame: function(only(frame))
        case [only]:

            def of_one(frame: Frame) -> Any:
                value = only(frame)
                return None if value is None else function(value)

            return of_one
        case [left, right] if nulls == [False, False]:

            def of_two(frame: Frame) -> Any:
                one, other = left(frame), right(frame)
                return None if one is None or other is None else function(one, other)

            return of_two
    return _applied(lambda frame, *given: function(*given), node, compiled)


def _applied(function: Callable[..., Any], node: OperatorCall, compiled: Callable[[TypedNode], Closure]) -> Closure:
    codes = [compiled(argument) for argument in node.arguments]
    many = [index for index, argument in enumerate(node.arguments) if isinstance(argument.type, CollectionType)]
    needed = [index for index, nullable in enumerate(nullables(node)) if not nullable]
    counts, gives_many = 0 in many, isinstance(node.type, CollectionType)

    def applied(frame: Frame) -> Any:
        given = [code(frame) for code in codes]
        for index in many:
            given[index] = given[index] or []
        if counts:
            frame[0].spend(len(given[0]))
        if any(given[index] is None for index in needed):
            return given[0] if counts and gives_many else None  # null is neither put into a collection nor taken out
        return function(frame, *given)

    return applied


def _loop(function: Callable[..., Any], node: OperatorCall, compiled: Callable[[TypedNode], Closure]) -> Closure:
    """Guards are mostly a loop over few elements, where each call counts: it is one closure, with its place."""
    source, at = compiled(node.arguments[0]), node.at
    each = _body(node.arguments[1], compiled)

    def loop(frame: Frame) -> Any:
        try:
            items = source(frame) or []
            frame[0].spend(len(items))
            return function(frame, items, each)
        except EVALUATION_ERRORS as error:
            trouble = placed(error, at)
            raise trouble from trouble.__cause__

    return loop


def _lazy(function: Callable[..., Any], node: OperatorCall, compiled: Callable[[TypedNode], Closure]) -> Closure:
    """Operands that are asked for only where they matter."""
    source = compiled(node.arguments[0])
    others = [_body(argument, compiled) for argument in node.arguments[1:]]
    return lambda frame: function(frame, source(frame), *others)


def _on_end(function: Callable[..., Any], node: OperatorCall, compiled: Callable[[TypedNode], Closure]) -> Closure:
    end = node.arguments[0]
    assert isinstance(end, Navigation)  # the check says so
    source, key = compiled(end.source), end.member.key
    given = [compiled(argument) for argument in node.arguments[1:]]

    def on_end(frame: Frame) -> Any:
        obj = source(frame)
        values = [one(frame) for one in given]
        return None if obj is None or None in values else function(obj, key, *values)

    return on_end


def _body(argument: TypedNode, compiled: Callable[[TypedNode], Closure]) -> tuple[int, Closure]:
    """A lambda as its slot and body; a value as a body without a slot."""
    if isinstance(argument, TypedLambda):
        return argument.variables[0].slot, compiled(argument.body)
    return 0, compiled(argument)


def _located(code: Closure, at: TextRange) -> Closure:
    """Trouble knows where it was."""

    def located(frame: Frame) -> Any:
        try:
            return code(frame)
        except EVALUATION_ERRORS as error:
            trouble = placed(error, at)
            raise trouble from trouble.__cause__

    return located


def placed(error: Exception, at: TextRange) -> LocatedError:
    """What went wrong as a trouble that knows its place: the innermost one."""
    if not isinstance(error, LocatedError):
        trouble = LocatedError(str(error), at)
        trouble.__cause__ = error
        return trouble
    error.at = error.at or at
    return error


def _checked(code: Closure, node: OperatorCall) -> Closure:
    """What might grow without bounds is looked at."""
    match node.type:
        case CollectionType():
            return lambda frame: frame[0].check_size(code(frame) or [])
        case types.STRING:
            return lambda frame: frame[0].check_text(code(frame))
        case types.INTEGER if node.operator.signature.mark == "":
            return lambda frame: checked_integer(code(frame))
    return code


def nullables(node: OperatorCall) -> list[bool]:
    """For each operand, whether the operator takes null itself."""
    signature = node.operator.signature
    patterns: Sequence[TypePattern] = [signature.source, *(one.pattern for one in signature.parameters)]
    return [patterns[min(index, len(patterns) - 1)].nullable for index in range(len(node.arguments))]
