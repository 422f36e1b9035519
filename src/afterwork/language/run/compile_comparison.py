"""Comparisons as closures, never null: `=` of two nulls is true, any other comparison with a null is false."""

import operator
from collections.abc import Callable
from typing import Any

from afterwork.language.run.evaluation import Closure, Compiler, LocatedError, VariableFrame
from afterwork.language.run.values import as_timestamp, equal, equal_collections
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Comparison, TypedConstant, TypedNode
from afterwork.language.typed.types import BasicType, CollectionType, ObjectType

ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def compared(node: Comparison, compiled: Compiler) -> Closure:
    left, right = _same_kind(node, compiled)
    if node.operator == "=":
        return _equal(node, left, right)
    if node.operator == "<>":
        equal = _equal(node, left, right)
        return lambda frame: not equal(frame)
    return _ordered(node, left, right)


def _same_kind(node: Comparison, compiled: Compiler) -> tuple[Closure, Closure]:
    """Return both sides converted to what Python can compare."""
    left, right = compiled(node.left), compiled(node.right)
    kinds = {node.left.type, node.right.type}
    if types.DATETIME in kinds and types.ANY not in kinds:
        return _converted(node.left, left, as_timestamp), _converted(node.right, right, as_timestamp)
    if kinds == {types.REAL, types.DECIMAL}:
        return _converted(node.left, left, float), _converted(node.right, right, float)
    return left, right


def _converted(node: TypedNode, code: Closure, convert: Callable[[Any], Any]) -> Closure:
    if node.type in (types.DATETIME, types.REAL, types.NULL):
        return code

    def converted(frame: VariableFrame) -> Any:
        value = code(frame)
        return None if value is None else convert(value)

    return converted


def _equal(node: Comparison, left: Closure, right: Closure) -> Closure:
    both = node.left.type, node.right.type
    match both:
        case (ObjectType(), _) | (_, ObjectType()):
            return lambda frame: left(frame) is right(frame)
        case CollectionType(kind=left_kind), CollectionType(kind=right_kind):
            kinds = (left_kind, right_kind)
            return lambda frame: equal_collections(left(frame) or [], right(frame) or [], kinds)
        case BasicType(), _ if types.ANY not in both:
            return lambda frame: left(frame) == right(frame)
    return lambda frame: equal(left(frame), right(frame))


def _ordered(node: Comparison, left: Closure, right: Closure) -> Closure:
    compare = ORDERS[node.operator]
    if isinstance(node.right, TypedConstant) and node.right.value is not None:
        constant = right([])

        def with_constant(frame: VariableFrame) -> bool:
            left_value = left(frame)
            return left_value is not None and compare(left_value, constant)

        return with_constant

    def ordered(frame: VariableFrame) -> bool:
        left_value, right_value = left(frame), right(frame)
        if left_value is None or right_value is None:
            return False
        try:
            return bool(compare(left_value, right_value))
        except TypeError as error:
            raise LocatedError(f"{node.operator} can't compare these: {error}.", node.at) from error

    return ordered
