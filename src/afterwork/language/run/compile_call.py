"""Calls of operators as closures. They pass null through, count what takes long, and refuse what is too large."""

from collections.abc import Callable
from itertools import islice
from typing import Any

from sqlalchemy import Select

from afterwork.language.run.evaluation import Closure, Compiler, LocatedError, VariableFrame, checked_integer
from afterwork.language.syntax.tree import TextRange
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Navigation, OperatorCall, TypedLambda, TypedNode, first_effect
from afterwork.language.typed.operator import (
    AssociationFunction,
    DatabaseQuery,
    EvaluationFunction,
    FrameFunction,
    ValueFunction,
)
from afterwork.language.typed.types import CollectionType

EVALUATION_ERRORS = (LocatedError, TypeError, ValueError, ArithmeticError, LookupError)
"""The language's own errors, and Python's where operands don't fit."""

LIMITS = slice(2, 4)
"""The operands of `PSEval` that hold the limit and the offset."""


def called(node: OperatorCall, compiled: Compiler) -> Closure:
    match node.operator.value:
        case FrameFunction(function=function) if isinstance(node.arguments[0].type, CollectionType):
            return _checked(_loop(function, node, compiled), node)
        case FrameFunction(function=function):
            closure = _lazy(function, node, compiled)
        case DatabaseQuery(function=function):
            closure = _in_database(function, node, compiled)
        case AssociationFunction(function=function):
            closure = _on_end(function, node, compiled)
        case EvaluationFunction(function=function):
            closure = _applied(lambda frame, *values: function(frame[0], *values), node, compiled)
        case ValueFunction(function=function):
            closure = _plain(function, node, compiled)
    return _checked(_with_position(closure, node.at), node)


def _plain(function: Callable[..., Any], node: OperatorCall, compiled: Compiler) -> Closure:
    """Return a call of a function of values. Most operators have one or two operands, whose calls take few detours."""
    if isinstance(node.arguments[0].type, CollectionType):
        return _applied(lambda frame, *values: function(*values), node, compiled)
    nulls = nullables(node)
    match [compiled(argument) for argument in node.arguments]:
        case [only] if nulls == [True]:
            return lambda frame: function(only(frame))
        case [only]:

            def of_single_operand(frame: VariableFrame) -> Any:
                value = only(frame)
                return None if value is None else function(value)

            return of_single_operand
        case [left, right] if nulls == [False, False]:

            def of_both_operands(frame: VariableFrame) -> Any:
                left_value, right_value = left(frame), right(frame)
                return None if left_value is None or right_value is None else function(left_value, right_value)

            return of_both_operands
    return _applied(lambda frame, *values: function(*values), node, compiled)


def _applied(function: Callable[..., Any], node: OperatorCall, compiled: Compiler) -> Closure:
    closures = [compiled(argument) for argument in node.arguments]
    collections = [index for index, argument in enumerate(node.arguments) if isinstance(argument.type, CollectionType)]
    needed = [index for index, nullable in enumerate(nullables(node)) if not nullable]
    counts, gives_many = 0 in collections, isinstance(node.type, CollectionType)

    def applied(frame: VariableFrame) -> Any:
        values = [closure(frame) for closure in closures]
        for index in collections:
            values[index] = values[index] or []
        if counts:
            frame[0].spend(len(values[0]))
        if any(values[index] is None for index in needed):
            # null is neither added to a collection nor removed from one
            return values[0] if counts and gives_many else None
        return function(frame, *values)

    return applied


def _loop(function: Callable[..., Any], node: OperatorCall, compiled: Compiler) -> Closure:
    """Return a loop with its position as one closure: most guards loop over few elements, so each call counts."""
    source, at = compiled(node.arguments[0]), node.at
    each = _body(node.arguments[1], compiled)

    def loop(frame: VariableFrame) -> Any:
        try:
            items = source(frame) or []
            frame[0].spend(len(items))
            return function(frame, items, each)
        except EVALUATION_ERRORS as error:
            positioned = located_error(error, at)
            raise positioned from positioned.__cause__

    return loop


def _lazy(function: Callable[..., Any], node: OperatorCall, compiled: Compiler) -> Closure:
    """Return a call whose operands are evaluated only where they matter."""
    source = compiled(node.arguments[0])
    lazy = [_body(argument, compiled) for argument in node.arguments[1:]]
    return lambda frame: function(frame, source(frame), *lazy)


def _in_database(statement_of: Callable[..., Select[Any]], node: OperatorCall, compiled: Compiler) -> Closure:
    """Return a query of the database: its SELECT is made when the expression runs, with the values known then."""
    query = node.arguments[1]

    def statement(frame: VariableFrame, *section: int | None) -> Select[Any]:
        if first_effect(query) is not None:
            raise LocatedError("This changes the model, which a query of the database can't do.", query.at)
        return statement_of(query, frame, *section)

    if not isinstance(query.type, CollectionType):
        return lambda frame: frame[0].session.scalars(statement(frame)).first()
    limits = [compiled(limit) for limit in node.arguments[LIMITS]]

    def elements(frame: VariableFrame) -> list[Any]:
        section = [limit(frame) for limit in limits]
        if any(number is not None and number < 0 for number in section):
            raise LocatedError("How many, and after how many, are no negative numbers.")
        evaluation = frame[0]
        rows = evaluation.session.scalars(statement(frame, *section))
        items = [item for item in islice(rows, evaluation.budget.size + 1) if item is not None]
        evaluation.spend(len(items))
        return items

    return elements


def _on_end(function: Callable[..., Any], node: OperatorCall, compiled: Compiler) -> Closure:
    end = node.arguments[0]
    assert isinstance(end, Navigation)  # the check says so
    source, key = compiled(end.source), end.member.key
    closures = [compiled(argument) for argument in node.arguments[1:]]

    def on_end(frame: VariableFrame) -> Any:
        obj = source(frame)
        values = [closure(frame) for closure in closures]
        return None if obj is None or None in values else function(obj, key, *values)

    return on_end


def _body(argument: TypedNode, compiled: Compiler) -> tuple[int, Closure]:
    """Return a lambda as its slot and body, or a value as a body without a slot."""
    if isinstance(argument, TypedLambda):
        return argument.variables[0].slot, compiled(argument.body)
    return 0, compiled(argument)


def _with_position(closure: Closure, at: TextRange) -> Closure:
    """Return a closure whose errors know their position."""

    def with_position(frame: VariableFrame) -> Any:
        try:
            return closure(frame)
        except EVALUATION_ERRORS as error:
            positioned = located_error(error, at)
            raise positioned from positioned.__cause__

    return with_position


def located_error(error: Exception, at: TextRange) -> LocatedError:
    """Return an error with its position; of nested positions, the innermost."""
    if not isinstance(error, LocatedError):
        located = LocatedError(str(error), at)
        located.__cause__ = error
        return located
    error.at = error.at or at
    return error


def _checked(closure: Closure, node: OperatorCall) -> Closure:
    """Return a closure that checks the size of a result that might grow without bounds."""
    match node.type:
        case CollectionType():
            return lambda frame: frame[0].check_size(closure(frame) or [])
        case types.STRING:
            return lambda frame: frame[0].check_text(closure(frame))
        case types.INTEGER if node.operator.signature.mark == "":
            return lambda frame: checked_integer(closure(frame))
    return closure


def nullables(node: OperatorCall) -> list[bool]:
    """Return for each operand whether the operator takes null itself."""
    patterns = node.operator.signature.patterns
    return [patterns[min(index, len(patterns) - 1)].nullable for index in range(len(node.arguments))]
