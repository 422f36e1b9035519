"""Operators that evaluate a lambda for each element. A condition that is null is not met."""

from collections import deque, namedtuple
from typing import Any

from afterwork.language.run.evaluation import Closure, VariableFrame
from afterwork.language.run.values import Items, SortKey, as_elements, equality_key
from afterwork.language.sql import collection_operations, iterators
from afterwork.language.typed.operator import Declare, FrameFunction

Each = tuple[int, Closure]
"""A lambda: the slot of its variable, and its body."""

Pair = namedtuple("Pair", ["key", "items"])


def _selected(frame: VariableFrame, items: Items, each: Each) -> Items:
    slot, body = each
    kept = []
    for item in items:
        frame[slot] = item
        if body(frame):
            kept.append(item)
    return kept


def _values(frame: VariableFrame, items: Items, each: Each) -> Items:
    """Return the value of a lambda for each element, nulls included."""
    slot, body = each
    results = []
    for item in items:
        frame[slot] = item
        results.append(body(frame))
    return results


SELECTED = "The elements that meet a condition. `Sequence{3, 1, 2, 1}->select(n | n < 3)` = `Sequence{1, 2, 1}`"

selected = Declare("Collection(T)->select(T | Boolean) : Self", SELECTED, kind=FrameFunction, call=iterators.select)(
    _selected
)


@Declare("Collection(T)->reject(T | Boolean) : Self", kind=FrameFunction, call=iterators.reject)
def rejected(frame: VariableFrame, items: Items, each: Each) -> Items:
    """The elements that don't meet a condition. `Sequence{3, 1, 2, 1}->reject(n | n < 3)` = `Sequence{3}`"""
    slot, body = each
    kept = []
    for item in items:
        frame[slot] = item
        if not body(frame):
            kept.append(item)
    return kept


@Declare("Collection(T)->collect(T | U) : Gathered(U)", kind=FrameFunction, call=iterators.collect)
def collected(frame: VariableFrame, items: Items, each: Each) -> Items:
    """The values of an expression for each element, flat and without nulls. Several expressions give a tuple.
    `Sequence{3, 1, 2, 1}->collect(n | n * 2)` = `Sequence{6, 2, 4, 2}`"""
    slot, body = each
    results: Items = []
    for item in list(items):  # the body of an action may change the association end that it goes over
        frame[slot] = item
        value = body(frame)
        if isinstance(value, list):
            frame[0].spend(len(value))
            results.extend(value)
            frame[0].check_size(results)
        elif value is not None:
            results.append(value)
    return results


@Declare("Collection(T)->exists(T | Boolean) : Boolean", kind=FrameFunction, call=iterators.exists)
def exists(frame: VariableFrame, items: Items, each: Each) -> bool:
    """True if an element meets a condition. `Sequence{3, 1, 2, 1}->exists(n | n > 2)` = `true`"""
    slot, body = each
    for item in items:
        frame[slot] = item
        if body(frame):
            return True
    return False


@Declare("Collection(T)->forAll(T | Boolean) : Boolean", kind=FrameFunction, call=iterators.for_all)
def for_all(frame: VariableFrame, items: Items, each: Each) -> bool:
    """True if all elements meet a condition. `Sequence{3, 1, 2, 1}->forAll(n | n > 2)` = `false`"""
    slot, body = each
    for item in items:
        frame[slot] = item
        if not body(frame):
            return False
    return True


@Declare("Collection(T)->any(T | Boolean) : T", kind=FrameFunction, call=collection_operations.any_of)
def any_of(frame: VariableFrame, items: Items, each: Each) -> Any:
    """The first element that meets a condition; null if there is none. `Sequence{3, 1, 2, 1}->any(n | n < 3)` = `1`"""
    slot, body = each
    for item in items:
        frame[slot] = item
        if body(frame):
            return item
    return None


@Declare("Collection(T)->one(T | Boolean) : Boolean", kind=FrameFunction, call=iterators.one)
def one(frame: VariableFrame, items: Items, each: Each) -> bool:
    """True if exactly one element meets a condition. `Sequence{3, 1, 2, 1}->one(n | n = 1)` = `false`"""
    return len(_selected(frame, items, each)) == 1


@Declare("Collection(T)->isUnique(T | U) : Boolean", kind=FrameFunction)
def is_unique(frame: VariableFrame, items: Items, each: Each) -> bool:
    """True if an expression has a different value for each element. `Sequence{3, 1, 2, 1}->isUnique(n | n)` =
    `false`"""
    keys = [equality_key(value) for value in _values(frame, items, each)]
    return len(set(keys)) == len(keys)


@Declare(
    "Collection(T)->sortedBy(T | U) : Sequence(T)",
    "As `orderBy`; the OMG's name. `Sequence{3, 1, 2, 1}->sortedBy(n | 0 - n)` = `Sequence{3, 2, 1, 1}`",
)
@Declare("Collection(T)->orderBy(T | U) : Sequence(T)", kind=FrameFunction, call=iterators.order_by)
def ascending(frame: VariableFrame, items: Items, each: Each) -> Items:
    """The elements sorted by one or several expressions, null first. Elements that sort alike keep their order.
    `Sequence{3, 1, 2, 1}->orderBy(n | n)` = `Sequence{1, 1, 2, 3}`"""
    return _by(frame, items, each, reverse=False)


@Declare("Collection(T)->orderDescending(T | U) : Sequence(T)", kind=FrameFunction, call=iterators.order_descending)
def descending(frame: VariableFrame, items: Items, each: Each) -> Items:
    """As `orderBy`, in descending order, null last. `Sequence{3, 1, 2, 1}->orderDescending(n | n)` =
    `Sequence{3, 2, 1, 1}`"""
    return _by(frame, items, each, reverse=True)


def _by(frame: VariableFrame, items: Items, each: Each, *, reverse: bool) -> Items:
    """Sort stably: elements that sort alike keep their order."""
    by = [SortKey(value) for value in _values(frame, items, each)]
    return [items[index] for index in sorted(range(len(items)), key=by.__getitem__, reverse=reverse)]


@Declare("Collection(T)->groupBy(T | U) : Sequence(Pair(U, Sequence(T)))", kind=FrameFunction)
def grouped(frame: VariableFrame, items: Items, each: Each) -> Items:
    """The elements grouped by an expression, as tuples of `key` and `items`.
    `Sequence{3, 1, 2, 1}->groupBy(n | n > 1)->collect(g | g.items->size)` = `Sequence{2, 2}`"""
    groups: dict[Any, tuple[Any, Items]] = {}
    for item, value in zip(items, _values(frame, items, each), strict=True):
        groups.setdefault(equality_key(value), (value, []))[1].append(item)
    return [Pair(value, members) for value, members in groups.values()]


@Declare("Collection(T)->closure(T | Any) : Set(T)", kind=FrameFunction)
def closure(frame: VariableFrame, items: Items, each: Each) -> Items:
    """The elements, and all others that an expression reaches from them.
    `Set{1}->closure(n | if n < 4 then n + 1 else null endif)` = `Set{1, 2, 3, 4}`"""
    slot, body = each
    reached = {equality_key(item): item for item in items}
    pending = deque(reached.values())
    while pending:
        frame[0].spend(1)
        frame[slot] = pending.popleft()
        value = body(frame)
        for item in as_elements(value):
            if equality_key(item) not in reached:  # elements seen before are not visited again, so cycles end
                reached[equality_key(item)] = item
                pending.append(item)
    return list(reached.values())


@Declare("Collection(T)->foreach(T | Any) : Nothing", kind=FrameFunction)
def for_each(frame: VariableFrame, items: Items, each: Each) -> None:
    """Evaluates an expression for each element, and gives nothing. `Sequence{3, 1, 2, 1}->foreach(n | n)` = `null`"""
    slot, body = each
    for item in list(items):
        frame[slot] = item
        body(frame)
