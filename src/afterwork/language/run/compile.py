"""Typed tree → closures. Each takes the frame of an evaluation and returns the node's value.

Whatever can be decided here is decided once, so that little is left for the evaluation. Each step looks for null, since
members of objects that are not saved yet may be null, whatever their columns say.
"""

from collections import namedtuple
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from afterwork.language.run.compile_call import called
from afterwork.language.run.compile_change import assigned
from afterwork.language.run.compile_comparison import compared
from afterwork.language.run.compile_method import invoked
from afterwork.language.run.evaluation import Closure, Evaluation, LocatedError, VariableFrame
from afterwork.language.run.values import as_elements, as_timestamp, unique
from afterwork.language.typed import nodes, types
from afterwork.language.typed.members import AssociationEnd, AttributeMember
from afterwork.language.typed.nodes import TypedNode
from afterwork.language.typed.types import CollectionType, TupleType


def compiled(node: TypedNode) -> Closure:
    match node:
        case nodes.TypedConstant(value=value):
            return lambda frame: value
        case nodes.VariableRead(slot=slot):
            return lambda frame: frame[slot]
        case nodes.AttributeRead(source=source, member=member):
            return _read(compiled(source), source, member)
        case nodes.Navigation(source=source, member=end):
            return _navigate(compiled(source), source, end)
        case nodes.OperatorCall():
            return called(node, compiled)
        case nodes.Comparison():
            return compared(node, compiled)
        case nodes.LogicalOperation():
            return _logic(node.operator, compiled(node.left), compiled(node.right))
        case nodes.Conditional():
            condition, yes, no = compiled(node.condition), compiled(node.yes), compiled(node.no)
            return lambda frame: yes(frame) if condition(frame) else no(frame)
        case nodes.LetBinding(variable=variable):
            return _store(variable.slot, compiled(node.value), compiled(node.body))
        case nodes.AssignVariable(variable=variable, value=value):
            return _store(variable.slot, compiled(value), compiled(variable))
        case nodes.AssignMember():
            return assigned(node, compiled)
        case nodes.MethodCall() | nodes.MayRunMethod():
            return invoked(node, compiled)
        case _:
            return _compound(node)


def _compound(node: TypedNode) -> Closure:
    match node:
        case nodes.TypedBlock(statements=statements):
            return _block([compiled(statement) for statement in statements])
        case nodes.CollectionConstruction():
            return _collection(node)
        case nodes.IntegerRange(first=first, last=last):
            return _integer_range(compiled(first), compiled(last), node)
        case nodes.TupleConstruction():
            return _tuple(node)
        case nodes.TuplePart(source=source, index=index):
            return _part(compiled(source), index)
        case nodes.AsSet(source=source):
            value = compiled(source)
            return (lambda frame: as_elements(value(frame))) if source.type == types.ANY else _set_of_itself(value)
        case nodes.Fold():
            return _fold(node)
        case nodes.TypedLambda(body=body):
            return compiled(body)
        case _:
            raise AssertionError(f"{type(node).__name__} can't be compiled")


def _read(source: Closure, node: TypedNode, member: AttributeMember) -> Closure:
    get: Callable[[Any], Any] = attrgetter(member.key)
    if member.type == types.DATETIME:
        plain = get

        def get(obj: Any) -> Any:
            return as_timestamp(plain(obj))

    return _of_object(source, node, get)


def _of_object(source: Closure, node: TypedNode, get: Callable[[Any], Any]) -> Closure:
    """Return a closure that gets something of an object; null for null."""
    if isinstance(node, nodes.VariableRead):  # which spares a call in the most frequent case
        slot = node.slot

        def get_of_variable(frame: VariableFrame) -> Any:
            obj = frame[slot]
            return None if obj is None else get(obj)

        return get_of_variable

    def get_of(frame: VariableFrame) -> Any:
        obj = source(frame)
        return None if obj is None else get(obj)

    return get_of


def _navigate(source: Closure, node: TypedNode, end: AssociationEnd) -> Closure:
    at_end = _of_object(source, node, attrgetter(end.key))
    return _several(at_end) if end.many else at_end


def _several(at_end: Closure) -> Closure:
    """Return a closure of the objects at an association end with many; none for null."""

    def several(frame: VariableFrame) -> Any:
        objects = at_end(frame)
        if isinstance(objects, list):
            return objects
        if objects is None:
            return []
        return list(objects.values() if isinstance(objects, dict) else objects)

    return several


def _logic(operator: str, left: Closure, right: Closure) -> Closure:
    match operator:
        case "and":
            return lambda frame: bool(left(frame) and right(frame))
        case "or":
            return lambda frame: bool(left(frame) or right(frame))
        case "xor":
            return lambda frame: bool(left(frame)) != bool(right(frame))
        case _:
            return lambda frame: bool(not left(frame) or right(frame))


def _store(slot: int, value: Closure, body: Closure) -> Closure:
    def store(frame: VariableFrame) -> Any:
        frame[slot] = value(frame)
        return body(frame)

    return store


def _block(statements: list[Closure]) -> Closure:
    def block(frame: VariableFrame) -> Any:
        result = None
        for statement in statements:
            result = statement(frame)
        return result

    return block


def _collection(node: nodes.CollectionConstruction) -> Closure:
    items = [compiled(item) for item in node.items]
    is_set = isinstance(node.type, CollectionType) and node.type.kind in types.UNIQUE_KINDS

    def collection(frame: VariableFrame) -> list[Any]:
        elements: list[Any] = []
        for item in items:
            value = item(frame)
            if isinstance(value, list):
                elements.extend(value)
            elif value is not None:
                elements.append(value)
            frame[0].check_size(elements)
        return unique(elements) if is_set else elements

    return collection


def _integer_range(first: Closure, last: Closure, node: nodes.IntegerRange) -> Closure:
    def integer_range(frame: VariableFrame) -> list[int]:
        low, high = first(frame), last(frame)
        if low is None or high is None:
            raise LocatedError("A range goes from one number to another, and one of these is null.", node.at)
        evaluation: Evaluation = frame[0]
        evaluation.spend(max(0, high - low + 1))
        return list(evaluation.check_size(range(low, high + 1)))

    return integer_range


def _tuple(node: nodes.TupleConstruction) -> Closure:
    assert isinstance(node.type, TupleType)
    parts = [compiled(part) for part in node.parts]
    make = tuple_class(node.type)
    return lambda frame: make(*[part(frame) for part in parts])


def tuple_class(tuple_type: TupleType) -> type[Any]:
    """Return the class of a type's tuples. Names that Python refuses become others: `_1`."""
    return namedtuple("Tuple", [name for name, _ in tuple_type.parts], rename=True)


def _part(source: Closure, index: int) -> Closure:
    def part(frame: VariableFrame) -> Any:
        parts = source(frame)
        return None if parts is None else parts[index]

    return part


def _set_of_itself(source: Closure) -> Closure:
    def set_of_itself(frame: VariableFrame) -> list[Any]:
        value = source(frame)
        return [] if value is None else [value]

    return set_of_itself


def _fold(node: nodes.Fold) -> Closure:
    source, first, body = compiled(node.source), compiled(node.first), compiled(node.body)
    element, result = node.element.slot, node.result.slot

    def fold(frame: VariableFrame) -> Any:
        items = list(source(frame))
        frame[0].spend(len(items))
        so_far = first(frame)
        for item in items:
            frame[element], frame[result] = item, so_far
            so_far = body(frame)
        return so_far

    return fold
