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
from afterwork.language.run.evaluation import Code, Frame, Run, Trouble
from afterwork.language.run.values import elements, moment, without_doubles
from afterwork.language.typed import types
from afterwork.language.typed.members import Attribute, End
from afterwork.language.typed.nodes import (
    Bind,
    Call,
    Choose,
    Collection,
    Compare,
    Constant,
    Fold,
    Follow,
    Invoke,
    Lambda,
    Logic,
    MakeTuple,
    May,
    Part,
    Read,
    SetMember,
    SetVariable,
    Single,
    Span,
    Steps,
    Typed,
    Variable,
)
from afterwork.language.typed.types import CollectionType, TupleType


def compiled(node: Typed) -> Code:
    """The closure of a node."""
    match node:
        case Constant(value=value):
            return lambda frame: value
        case Variable(slot=slot):
            return lambda frame: frame[slot]
        case Read(source=source, member=member):
            return _read(compiled(source), source, member)
        case Follow(source=source, member=end):
            return _follow(compiled(source), source, end)
        case Call():
            return called(node, compiled)
        case Compare():
            return compared(node, compiled)
        case Logic():
            return _logic(node.operator, compiled(node.left), compiled(node.right))
        case Choose():
            return _choose(compiled(node.condition), compiled(node.yes), compiled(node.no))
        case Bind(variable=variable):
            return _bind(variable.slot, compiled(node.value), compiled(node.body))
        case SetVariable(variable=variable, value=value):
            return _bind(variable.slot, compiled(value), compiled(variable))
        case SetMember():
            return assigned(node, compiled)
        case Invoke() | May():
            return invoked(node, compiled)
        case _:
            return _compound(node)


def _compound(node: Typed) -> Code:
    match node:
        case Steps(statements=statements):
            return _steps([compiled(statement) for statement in statements])
        case Collection():
            return _collection(node)
        case Span(first=first, last=last):
            return _span(compiled(first), compiled(last), node)
        case MakeTuple():
            return _tuple(node)
        case Part(source=source, index=index):
            return _part(compiled(source), index)
        case Single(source=source):
            return _elements(compiled(source)) if source.type == types.ANY else _single(compiled(source))
        case Fold():
            return _fold(node)
        case Lambda(body=body):
            return compiled(body)
        case _:
            raise AssertionError(f"{type(node).__name__} can't be compiled")


def _read(source: Code, node: Typed, member: Attribute) -> Code:
    get: Callable[[Any], Any] = attrgetter(member.key)
    if member.type == types.DATETIME:
        plain = get

        def get(obj: Any) -> Any:
            return moment(plain(obj))

    return _got(source, node, get)


def _got(source: Code, node: Typed, get: Callable[[Any], Any]) -> Code:
    """What an object is asked for; null has nothing."""
    if isinstance(node, Variable):  # spares a call for what is most frequent
        slot = node.slot

        def get_of_variable(frame: Frame) -> Any:
            obj = frame[slot]
            return None if obj is None else get(obj)

        return get_of_variable

    def get_of(frame: Frame) -> Any:
        obj = source(frame)
        return None if obj is None else get(obj)

    return get_of


def _follow(source: Code, node: Typed, end: End) -> Code:
    found = _got(source, node, attrgetter(end.key))
    return _several(found) if end.many else found


def _several(found: Code) -> Code:
    """The objects of an end with many; null has none."""

    def several(frame: Frame) -> Any:
        objects = found(frame)
        if isinstance(objects, list):
            return objects
        if objects is None:
            return []
        return list(objects.values() if isinstance(objects, dict) else objects)

    return several


def _logic(operator: str, left: Code, right: Code) -> Code:
    match operator:
        case "and":
            return lambda frame: bool(left(frame) and right(frame))
        case "or":
            return lambda frame: bool(left(frame) or right(frame))
        case "xor":
            return lambda frame: bool(left(frame)) != bool(right(frame))
        case _:
            return lambda frame: bool(not left(frame) or right(frame))


def _choose(condition: Code, yes: Code, no: Code) -> Code:
    return lambda frame: yes(frame) if condition(frame) else no(frame)


def _bind(slot: int, value: Code, body: Code) -> Code:
    def bind(frame: Frame) -> Any:
        frame[slot] = value(frame)
        return body(frame)

    return bind


def _steps(statements: list[Code]) -> Code:
    def steps(frame: Frame) -> Any:
        result = None
        for statement in statements:
            result = statement(frame)
        return result

    return steps


def _collection(node: Collection) -> Code:
    items = [compiled(item) for item in node.items]
    unique = isinstance(node.type, CollectionType) and node.type.kind in types.WITHOUT_DOUBLES

    def collection(frame: Frame) -> list[Any]:
        found: list[Any] = []
        for item in items:
            value = item(frame)
            if isinstance(value, list):
                found.extend(value)
            elif value is not None:
                found.append(value)
            frame[0].sized(found)
        return without_doubles(found) if unique else found

    return collection


def _span(first: Code, last: Code, node: Span) -> Code:
    def span(frame: Frame) -> list[int]:
        low, high = first(frame), last(frame)
        if low is None or high is None:
            raise Trouble("A range goes from one number to another, and one of these is null.", node.at)
        run: Run = frame[0]
        run.spend(max(0, high - low + 1))
        return list(run.sized(range(low, high + 1)))

    return span


def _tuple(node: MakeTuple) -> Code:
    assert isinstance(node.type, TupleType)
    parts = [compiled(part) for part in node.parts]
    make = tuple_class(node.type)
    return lambda frame: make(*[part(frame) for part in parts])


def tuple_class(kind: TupleType) -> type[Any]:
    """The class of a type's tuples. Names that Python doesn't take get others: `_1`."""
    return namedtuple("Tuple", [name for name, _ in kind.parts], rename=True)


def _part(source: Code, index: int) -> Code:
    def part(frame: Frame) -> Any:
        found = source(frame)
        return None if found is None else found[index]

    return part


def _single(source: Code) -> Code:
    def single(frame: Frame) -> list[Any]:
        value = source(frame)
        return [] if value is None else [value]

    return single


def _elements(source: Code) -> Code:
    return lambda frame: elements(source(frame))


def _fold(node: Fold) -> Code:
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
