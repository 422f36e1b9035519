"""Calls of methods of the model as closures. On null, nothing is called."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from afterwork.compat.sqlalchemy_session import pending_changes
from afterwork.language.run.evaluation import (
    Closure,
    Compiler,
    Evaluation,
    LocatedError,
    MethodRaised,
    Mutation,
    VariableFrame,
)
from afterwork.language.run.values import as_elements, as_timestamp, unique
from afterwork.language.typed import types
from afterwork.language.typed.nodes import MayRunMethod, MethodCall
from afterwork.language.typed.types import CollectionType, Type


def invoked(node: MethodCall | MayRunMethod, compiled: Compiler) -> Closure:
    """Return the closure of a call of a method, or of the question whether it may run. What it raises is not the
    language's."""
    source = compiled(node.source)
    match node:
        case MayRunMethod(method=method):
            may_run = method.may_run

            def may(frame: VariableFrame) -> bool:
                obj = source(frame)
                try:
                    return obj is not None and bool(may_run(obj))
                except Exception as error:
                    raise MethodRaised(error) from error

            return may
        case MethodCall():
            return _call(node, source, [_argument(index, node, compiled) for index in range(len(node.arguments))])


def _call(node: MethodCall, source: Closure, arguments: Sequence[Closure]) -> Closure:
    """Return the closure of a call, which counts as a step: methods that call each other could go on without end."""
    call, convert = _guarded(node) if node.signature.guarded else node.method.call, _result(node.type)

    def invoke(frame: VariableFrame) -> Any:
        obj = source(frame)
        if obj is None:
            return convert(None)
        evaluation: Evaluation = frame[0]
        values = [argument(frame) for argument in arguments]
        try:
            evaluation.spend(1)
            return convert(call(evaluation, obj, *values))
        except LocatedError as error:
            error.at = error.at or node.at
            raise
        except RecursionError:
            raise
        except Exception as error:
            raise MethodRaised(error) from error

    return invoke


def _guarded(node: MethodCall) -> Callable[..., Any]:
    """Return the call of a method in Python, which in a query is watched for effects."""
    call, name = node.method.call, node.method.name

    def guarded(evaluation: Evaluation, obj: Any, *values: Any) -> Any:
        if evaluation.may_change:
            return call(evaluation, obj, *values)
        before = pending_changes(evaluation.session_or_none, obj)
        result = call(evaluation, obj, *values)
        if pending_changes(evaluation.session_or_none, obj) != before:
            raise Mutation(f"{name} has changed the model, which only actions and bodies of methods may do.")
        return result

    return guarded


def _result(type_: Type) -> Callable[[Any], Any]:
    """Return how to convert what a method has returned to a value of the language."""
    match type_:
        case CollectionType(kind=kind) if kind in types.UNIQUE_KINDS:
            return lambda value: unique(as_elements(_listed(value)))
        case CollectionType():
            return lambda value: as_elements(_listed(value))
        case types.DATETIME:
            return as_timestamp
    return lambda value: value


def _listed(value: Any) -> Any:
    """Return any iterable that a method has returned as a list."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else value


def _argument(index: int, node: MethodCall, compiled: Compiler) -> Closure:
    """Return the closure of an argument, converted to what its parameter takes."""
    value, convert = compiled(node.arguments[index]), to_python(node.signature.parameter(index).type)
    return lambda frame: convert(value(frame))


def to_python(type_: Type) -> Callable[[Any], Any]:
    """Return how to convert an argument to what Python has for a type. A collection is the method's own."""
    match type_:
        case CollectionType(kind=kind):
            make = set if kind == "Set" else list
            return lambda value: make(value or ())
        case types.DECIMAL:
            return lambda value: Decimal(str(value)) if isinstance(value, int | float) else value
        case types.REAL:
            return lambda value: None if value is None else float(value)
    return lambda value: value
