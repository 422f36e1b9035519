"""What is done with each element of a collection. An element for which a condition is null doesn't meet it."""

from collections import deque, namedtuple
from typing import Any

from afterwork.language.run.evaluation import Closure, Frame
from afterwork.language.run.values import SortKey, as_elements, equality_key, unique
from afterwork.language.sql import iterators, ordered_access
from afterwork.language.typed.operator import CallTranslation, FrameFunction, Operator

Items = list[Any]
Each = tuple[int, Closure]
"""A lambda: the slot of its variable, and its body."""

Pair = namedtuple("Pair", ["key", "items"])


def exists(frame: Frame, items: Items, each: Each) -> bool:
    slot, body = each
    for item in items:
        frame[slot] = item
        if body(frame):
            return True
    return False


def for_all(frame: Frame, items: Items, each: Each) -> bool:
    slot, body = each
    for item in items:
        frame[slot] = item
        if not body(frame):
            return False
    return True


def selected(frame: Frame, items: Items, each: Each) -> Items:
    slot, body = each
    found = []
    for item in items:
        frame[slot] = item
        if body(frame):
            found.append(item)
    return found


def rejected(frame: Frame, items: Items, each: Each) -> Items:
    slot, body = each
    found = []
    for item in items:
        frame[slot] = item
        if not body(frame):
            found.append(item)
    return found


def collected(frame: Frame, items: Items, each: Each) -> Items:
    slot, body = each
    found: Items = []
    for item in list(items):  # the body of an action may change the end that it goes over
        frame[slot] = item
        value = body(frame)
        if isinstance(value, list):
            frame[0].spend(len(value))
            found.extend(value)
            frame[0].check_size(found)
        elif value is not None:
            found.append(value)
    return found


def for_each(frame: Frame, items: Items, each: Each) -> None:
    slot, body = each
    for item in list(items):
        frame[slot] = item
        body(frame)


def any_of(frame: Frame, items: Items, each: Each) -> Any:
    slot, body = each
    for item in items:
        frame[slot] = item
        if body(frame):
            return item
    return None


def one(frame: Frame, items: Items, each: Each) -> bool:
    return len(selected(frame, items, each)) == 1


def values(frame: Frame, items: Items, each: Each) -> Items:
    """What a lambda gives for each element, nulls included."""
    slot, body = each
    found = []
    for item in items:
        frame[slot] = item
        found.append(body(frame))
    return found


def is_unique(frame: Frame, items: Items, each: Each) -> bool:
    found = [equality_key(value) for value in values(frame, items, each)]
    return len(set(found)) == len(found)


def ascending(frame: Frame, items: Items, each: Each) -> Items:
    return _by(frame, items, each, reverse=False)


def descending(frame: Frame, items: Items, each: Each) -> Items:
    return _by(frame, items, each, reverse=True)


def _by(frame: Frame, items: Items, each: Each, *, reverse: bool) -> Items:
    """Stable: what sorts alike stays in the order that it had."""
    by = [SortKey(value) for value in values(frame, items, each)]
    return [items[place] for place in sorted(range(len(items)), key=by.__getitem__, reverse=reverse)]


def grouped(frame: Frame, items: Items, each: Each) -> Items:
    groups: dict[Any, tuple[Any, Items]] = {}
    for item, value in zip(items, values(frame, items, each), strict=True):
        groups.setdefault(equality_key(value), (value, []))[1].append(item)
    return [Pair(value, members) for value, members in groups.values()]


def closure(frame: Frame, items: Items, each: Each) -> Items:
    """All that can be reached. What was seen is not looked at again, so circles end."""
    slot, body = each
    found = {equality_key(item): item for item in items}
    waiting = deque(found.values())
    while waiting:
        frame[0].spend(1)
        frame[slot] = waiting.popleft()
        value = body(frame)
        for item in as_elements(value):
            if equality_key(item) not in found:
                found[equality_key(item)] = item
                waiting.append(item)
    return list(found.values())


def distinct(frame: Frame, items: Items, each: Each) -> Items:
    return unique(collected(frame, items, each))


FOUR = "Sequence{3, 1, 2, 1}"

ROWS = (
    Operator(
        "Collection(T)->select(T | Boolean) : Self",
        FrameFunction(selected),
        "The elements that meet a condition.",
        (f"{FOUR}->select(n | n < 3)", "Sequence{1, 2, 1}"),
        CallTranslation(iterators.select),
    ),
    Operator(
        "Collection(T)->reject(T | Boolean) : Self",
        FrameFunction(rejected),
        "The elements that don't meet a condition.",
        (f"{FOUR}->reject(n | n < 3)", "Sequence{3}"),
        CallTranslation(iterators.reject),
    ),
    Operator(
        "Collection(T)->collect(T | U) : Gathered(U)",
        FrameFunction(collected),
        "What an expression gives for each element: flat, without nulls. Several expressions give a tuple.",
        (f"{FOUR}->collect(n | n * 2)", "Sequence{6, 2, 4, 2}"),
        CallTranslation(iterators.collect),
    ),
    Operator(
        "Collection(T)->exists(T | Boolean) : Boolean",
        FrameFunction(exists),
        "Whether an element meets a condition.",
        (f"{FOUR}->exists(n | n > 2)", "true"),
        CallTranslation(iterators.exists),
    ),
    Operator(
        "Collection(T)->forAll(T | Boolean) : Boolean",
        FrameFunction(for_all),
        "Whether all elements meet a condition.",
        (f"{FOUR}->forAll(n | n > 2)", "false"),
        CallTranslation(iterators.for_all),
    ),
    Operator(
        "Collection(T)->any(T | Boolean) : T",
        FrameFunction(any_of),
        "The first element that meets a condition; null if there is none.",
        (f"{FOUR}->any(n | n < 3)", "1"),
        CallTranslation(ordered_access.any_of),
    ),
    Operator(
        "Collection(T)->one(T | Boolean) : Boolean",
        FrameFunction(one),
        "Whether exactly one element meets a condition.",
        (f"{FOUR}->one(n | n = 1)", "false"),
        CallTranslation(iterators.one),
    ),
    Operator(
        "Collection(T)->isUnique(T | U) : Boolean",
        FrameFunction(is_unique),
        "Whether an expression gives something else for each element.",
        (f"{FOUR}->isUnique(n | n)", "false"),
    ),
    Operator(
        "Collection(T)->orderBy(T | U) : Sequence(T)",
        FrameFunction(ascending),
        "Sorted by what an expression gives, or several, one after the other; null first. "
        "What sorts alike keeps its order.",
        (f"{FOUR}->orderBy(n | n)", "Sequence{1, 1, 2, 3}"),
        CallTranslation(iterators.order_by),
    ),
    Operator(
        "Collection(T)->orderDescending(T | U) : Sequence(T)",
        FrameFunction(descending),
        "As `orderBy`, from the largest, null last.",
        (f"{FOUR}->orderDescending(n | n)", "Sequence{3, 2, 1, 1}"),
        CallTranslation(iterators.order_descending),
    ),
    Operator(
        "Collection(T)->sortedBy(T | U) : Sequence(T)",
        FrameFunction(ascending),
        "As `orderBy`; the OMG's name.",
        (f"{FOUR}->sortedBy(n | 0 - n)", "Sequence{3, 2, 1, 1}"),
        CallTranslation(iterators.order_by),
    ),
    Operator(
        "Collection(T)->groupBy(T | U) : Sequence(Pair(U, Sequence(T)))",
        FrameFunction(grouped),
        "The elements by what an expression gives, as tuples of `key` and `items`.",
        (f"{FOUR}->groupBy(n | n > 1)->collect(g | g.items->size)", "Sequence{2, 2}"),
    ),
    Operator(
        "Collection(T)->closure(T | Any) : Set(T)",
        FrameFunction(closure),
        "The elements, and all that can be reached from them.",
        ("Set{1}->closure(n | if n < 4 then n + 1 else null endif)", "Set{1, 2, 3, 4}"),
    ),
    Operator(
        "Collection(T)->foreach(T | Any) : Nothing",
        FrameFunction(for_each),
        "Does something with each element. It gives nothing.",
        (f"{FOUR}->foreach(n | n)", "null"),
    ),
)
