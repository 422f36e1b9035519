"""Typed tree → Python closures. Each takes the frame of a run and gives the node's value.

What is decided here is decided once; what is left for the run is little. Null is looked for at each step, since members
of objects that are not yet saved may be null, whatever their columns say.
"""

from collections import namedtuple
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from afterwork.language.run.compile_call import called
from afterwork.language.run.compile_change import assigned, invoked
from afterwork.language.run.compile_comparison import compared
from afterwork.language.run.evaluation import Closure, Evaluation, Frame, LocatedError
from afterwork.language.run.values import as_elements, as_timestamp, unique
from afterwork.language.typed import types
from afterwork.language.typed.members import AssociationEnd, AttributeMember
from afterwork.language.typed.nodes import (
    AsSet,
    AssignMember,
    AssignVariable,
    AttributeRead,
    CollectionConstruction,
    Comparison,
    Conditional,
    Fold,
    IntegerRange,
    LetBinding,
    LogicalOperation,
    MayRunMethod,
    MethodCall,
    Navigation,
    OperatorCall,
    TupleConstruction,
    TuplePart,
    TypedBlock,
    TypedConstant,
    TypedLambda,
    TypedNode,
    VariableRead,
)
from afterwork.language.typed.types import CollectionType, TupleType


def compiled(node: TypedNode) -> Closure:
    """The closure of a node."""
    match node:
        case TypedConstant(value=value):
            return lambda frame: value
        case VariableRead(slot=slot):
            return lambda frame: frame[slot]
        case AttributeRead(source=source, member=member):
            return _read(compiled(source), source, member)
        case Navigation(source=source, member=end):
            return _follow(compiled(source), source, end)
        case OperatorCall():
            return called(node, compiled)
        case Comparison():
            return compared(node, compiled)
        case LogicalOperation():
            return _logic(node.operator, compiled(node.left), compiled(node.right))
        case Conditional():
            return _choose(compiled(node.condition), compiled(node.yes), compiled(node.no))
        case LetBinding(variable=variable):
            return _bind(variable.slot, compiled(node.value), compiled(node.body))
        case AssignVariable(variable=variable, value=value):
            return _bind(variable.slot, compiled(value), compiled(variable))
        case AssignMember():
            return assigned(node, compiled)
        case MethodCall() | MayRunMethod():
            return invoked(node, compiled)
        case _:
            return _compound(node)


def _compound(node: TypedNode) -> Closure:
    match node:
        case TypedBlock(statements=statements):
            return _steps([compiled(statement) for statement in statements])
        case CollectionConstruction():
            return _collection(node)
        case IntegerRange(first=first, last=last):
            return _span(compiled(first), compiled(last), node)
        case TupleConstruction():
            return _tuple(node)
        case TuplePart(source=source, index=index):
            return _part(compiled(source), index)
        case AsSet(source=source):
            return _elements(compiled(source)) if source.type == types.ANY else _single(compiled(source))
        case Fold():
            return _fold(node)
        case TypedLambda(body=body):
            return compiled(body)
        case _:
            raise AssertionError(f"{type(node).__name__} can't be compiled")


def _read(source: Closure, node: TypedNode, member: AttributeMember) -> Closure:
    get: Callable[[Any], Any] = attrgetter(member.key)
    if member.type == types.DATETIME:
        plain = get

        def get(obj: Any) -> Any:
            return as_timestamp(plain(obj))

    return _got(source, node, get)


def _got(source: Closure, node: TypedNode, get: Callable[[Any], Any]) -> Closure:
    """What an object is asked for; null has nothing."""
    if isinstance(node, VariableRead):  # spares a call for what is most frequent
        slot = node.slot

        def get_of_variable(frame: Frame) -> Any:
            obj = frame[slot]
            return None if obj is None else get(obj)

        return get_of_variable

    def get_of(frame: Frame) -> Any:
        obj = source(frame)
        return None if obj is None else get(obj)

    return get_of


def _follow(source: Closure, node: TypedNode, end: AssociationEnd) -> Closure:
    found = _got(source, node, attrgetter(end.key))
    return _several(found) if end.many else found


def _several(found: Closure) -> Closure:
    """The objects of an end with many; null has none."""

    def several(frame: Frame) -> Any:
        objects = found(frame)
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


def _choose(condition: Closure, yes: Closure, no: Closure) -> Closure:
    return lambda frame: yes(frame) if condition(frame) else no(frame)


def _bind(slot: int, value: Closure, body: Closure) -> Closure:
    def bind(frame: Frame) -> Any:
        frame[slot] = value(frame)
        return body(frame)

    return bind


def _steps(statements: list[Closure]) -> Closure:
    def steps(frame: Frame) -> Any:
        result = None
        for statement in statements:
            result = statement(frame)
        return result

    return steps


def _collection(node: CollectionConstruction) -> Closure:
    items = [compiled(item) for item in node.items]
    is_set = isinstance(node.type, CollectionType) and node.type.kind in types.UNIQUE_KINDS

    def collection(frame: Frame) -> list[Any]:
        found: list[Any] = []
        for item in items:
            value = item(frame)
            if isinstance(value, list):
                found.extend(value)
            elif value is not None:
                found.append(value)
            frame[0].check_size(found)
        return unique(found) if is_set else found

    return collection


def _span(first: Closure, last: Closure, node: IntegerRange) -> Closure:
    def span(frame: Frame) -> list[int]:
        low, high = first(frame), last(frame)
        if low is None or high is None:
            raise LocatedError("A range goes from one number to another, and one of these is null.", node.at)
        run: Evaluation = frame[0]
        run.spend(max(0, high - low + 1))
        return list(run.check_size(range(low, high + 1)))

    return span


def _tuple(node: TupleConstruction) -> Closure:
    assert isinstance(node.type, TupleType)
    parts = [compiled(part) for part in node.parts]
    make = tuple_class(node.type)
    return lambda frame: make(*[part(frame) for part in parts])


def tuple_class(kind: TupleType) -> type[Any]:
    """The class of a type's tuples. Names that Python doesn't take get others: `_1`."""
    return namedtuple("Tuple", [name for name, _ in kind.parts], rename=True)


def _part(source: Closure, index: int) -> Closure:
    def part(frame: Frame) -> Any:
        found = source(frame)
        return None if found is None else found[index]

    return part


def _single(source: Closure) -> Closure:
    def single(frame: Frame) -> list[Any]:
        value = source(frame)
        return [] if value is None else [value]

    return single


def _elements(source: Closure) -> Closure:
    return lambda frame: as_elements(source(frame))


def _fold(node: Fold) -> Closure:
    source, first, body = compiled(node.source), compiled(node.first), compiled(node.body)
    element, result = node.element.slot, node.result.slot

    def fold(frame: Frame) -> Any:
        items = list(source(frame))
        frame[0].spend(len(items))
        so_far = first(frame)
        for item in items:
            frame[element], frame[result] = item, so_far
            so_far = body(frame)
        return so_far

    return fold
