"""Checks a call of a method of the model: whose method it is, and the number and the types of its arguments."""

from collections.abc import Sequence

from afterwork.errors import WrongType
from afterwork.language.check.context import ExpressionContext, NameUse
from afterwork.language.check.type_patterns import as_expected_collection
from afterwork.language.syntax.tree import Node
from afterwork.language.typed import types
from afterwork.language.typed.methods import MethodParameter, MethodSignature, ModelMethod
from afterwork.language.typed.nodes import MethodCall, TypedConstant, TypedNode
from afterwork.language.typed.types import TypeOf


def method_call(context: ExpressionContext, source: TypedNode, method: ModelMethod, use: NameUse) -> MethodCall | None:
    """Return the call of a method; None for one of objects after their class, where an operator may be meant.

    Raises `WrongType` for arguments that it doesn't take, and for a static method after an object.
    """
    after_class = isinstance(source.type, TypeOf)
    if after_class and not method.static:
        return None
    if method.static and not after_class:
        problem = f"{method.name} is static, so it is called by the class: {source.type}.{method.name}"
        raise WrongType(context.text, use.at.start, problem, end=use.at.end)
    given = [context.check_value(argument, use.scope) for argument in use.given]
    signature = _signature(context, method, given)
    if not signature.takes(len(given)):
        number = f"{len(given)} argument{'' if len(given) == 1 else 's'}" if given else "no arguments"
        problem = f"{method.name} can't take {number}. It is written as {signature.written(method.name)}."
        raise WrongType(context.text, use.at.start, problem, end=use.at.end)
    return MethodCall(
        use.at, signature.result, source, method, signature, _arguments(context, signature, given, use.given)
    )


def _signature(context: ExpressionContext, method: ModelMethod, given: Sequence[TypedNode]) -> MethodSignature:
    """Return the signature of a method, which may depend on a text that is its first argument."""
    match given:
        case [TypedConstant(value=str() as text) as name, *_] if method.signature_for is not None:
            signature = method.signature_for(text)
            if signature is None:
                problem = f"{method.name} knows no {text!r}."
                context.raise_unknown(name.at.start, text, problem, method.known_texts())
            return signature
    return method.signature()


def _arguments(
    context: ExpressionContext, signature: MethodSignature, given: Sequence[TypedNode], written: Sequence[Node]
) -> tuple[TypedNode, ...]:
    parameters = map(signature.parameter, range(len(given)))
    return tuple(
        _argument(context, parameter, typed, node)
        for parameter, typed, node in zip(parameters, given, written, strict=True)
    )


def _argument(context: ExpressionContext, parameter: MethodParameter, typed: TypedNode, node: Node) -> TypedNode:
    """Return an argument as its parameter takes it. Raises `WrongType`."""
    expected = parameter.type
    argument = as_expected_collection(context.label_as(typed, expected), expected)
    if not types.assignable(argument.type, expected):
        raise context.wrong_type(node, f"{parameter.name} is {expected}, and this is {argument.type}.")
    return argument
