"""Comparisons as closures. They are never null: `=` of two nulls is true, any other comparison with a null is false."""

import operator
from collections.abc import Callable
from typing import Any

from afterwork.language.run.evaluation import Code, Frame, Trouble
from afterwork.language.run.values import alike, alike_collections, moment, shared_kind
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Compare, Constant, Typed
from afterwork.language.typed.types import CollectionType, ObjectType

ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def compared(node: Compare, compiled: Callable[[Typed], Code]) -> Code:
    """The closure of a comparison."""
    left, right = _same_kind(node, compiled)
    if node.operator == "=":
        return _equal(node, left, right)
    if node.operator == "<>":
        equal = _equal(node, left, right)
        return lambda frame: not equal(frame)
    return _ordered(node, left, right)


def _same_kind(node: Compare, compiled: Callable[[Typed], Code]) -> tuple[Code, Code]:
    """Both sides, brought to what Python can compare."""
    left, right = compiled(node.left), compiled(node.right)
    match shared_kind(node.left.type, node.right.type):
        case "moments":
            return _converted(node.left, left, moment), _converted(node.right, right, moment)
        case "floats":
            return _converted(node.left, left, float), _converted(node.right, right, float)
    return left, right


def _converted(node: Typed, code: Code, convert: Callable[[Any], Any]) -> Code:
    if node.type in (types.DATETIME, types.REAL, types.NULL):
        return code

    def converted(frame: Frame) -> Any:
        value = code(frame)
        return None if value is None else convert(value)

    return converted


def _equal(node: Compare, left: Code, right: Code) -> Code:
    match node.left.type, node.right.type:
        case (ObjectType(), _) | (_, ObjectType()):
            return lambda frame: left(frame) is right(frame)
        case CollectionType(kind=one_kind), CollectionType(kind=other_kind):
            kinds = (one_kind, other_kind)
            return lambda frame: alike_collections(left(frame) or [], right(frame) or [], kinds)
        case one, other if types.ANY in (one, other) or not isinstance(one, types.Basic):
            return lambda frame: alike(left(frame), right(frame))
    return lambda frame: left(frame) == right(frame)


def _ordered(node: Compare, left: Code, right: Code) -> Code:
    compare = ORDERS[node.operator]
    if isinstance(node.right, Constant) and node.right.value is not None:
        constant = right([])

        def with_constant(frame: Frame) -> bool:
            one = left(frame)
            return one is not None and compare(one, constant)

        return with_constant

    def ordered(frame: Frame) -> bool:
        one, other = left(frame), right(frame)
        if one is None or other is None:
            return False
        try:
            return bool(compare(one, other))
        except TypeError as error:
            raise Trouble(f"{node.operator} can't compare these: {error}.", node.at) from error

    return ordered
