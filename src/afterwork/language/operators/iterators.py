"""Operators that evaluate a lambda for each element. A condition that is null is not met."""

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
    kept = []
    for item in items:
        frame[slot] = item
        if body(frame):
            kept.append(item)
    return kept


def rejected(frame: Frame, items: Items, each: Each) -> Items:
    slot, body = each
    kept = []
    for item in items:
        frame[slot] = item
        if not body(frame):
            kept.append(item)
    return kept


def collected(frame: Frame, items: Items, each: Each) -> Items:
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
    """Return the value of a lambda for each element, nulls included."""
    slot, body = each
    results = []
    for item in items:
        frame[slot] = item
        results.append(body(frame))
    return results


def is_unique(frame: Frame, items: Items, each: Each) -> bool:
    keys = [equality_key(value) for value in values(frame, items, each)]
    return len(set(keys)) == len(keys)


def ascending(frame: Frame, items: Items, each: Each) -> Items:
    return _by(frame, items, each, reverse=False)


def descending(frame: Frame, items: Items, each: Each) -> Items:
    return _by(frame, items, each, reverse=True)


def _by(frame: Frame, items: Items, each: Each, *, reverse: bool) -> Items:
    """Sort stably: elements that sort alike keep their order."""
    by = [SortKey(value) for value in values(frame, items, each)]
    return [items[index] for index in sorted(range(len(items)), key=by.__getitem__, reverse=reverse)]


def grouped(frame: Frame, items: Items, each: Each) -> Items:
    groups: dict[Any, tuple[Any, Items]] = {}
    for item, value in zip(items, values(frame, items, each), strict=True):
        groups.setdefault(equality_key(value), (value, []))[1].append(item)
    return [Pair(value, members) for value, members in groups.values()]


def closure(frame: Frame, items: Items, each: Each) -> Items:
    """Collect everything that can be reached. Elements seen before are not visited again, so cycles end."""
    slot, body = each
    reached = {equality_key(item): item for item in items}
    pending = deque(reached.values())
    while pending:
        frame[0].spend(1)
        frame[slot] = pending.popleft()
        value = body(frame)
        for item in as_elements(value):
            if equality_key(item) not in reached:
                reached[equality_key(item)] = item
                pending.append(item)
    return list(reached.values())


def distinct(frame: Frame, items: Items, each: Each) -> Items:
    return unique(collected(frame, items, each))


EXAMPLE = "Sequence{3, 1, 2, 1}"

OPERATORS = (
    Operator(
        "Collection(T)->select(T | Boolean) : Self",
        FrameFunction(selected),
        "The elements that meet a condition.",
        (f"{EXAMPLE}->select(n | n < 3)", "Sequence{1, 2, 1}"),
        CallTranslation(iterators.select),
    ),
    Operator(
        "Collection(T)->reject(T | Boolean) : Self",
        FrameFunction(rejected),
        "The elements that don't meet a condition.",
        (f"{EXAMPLE}->reject(n | n < 3)", "Sequence{3}"),
        CallTranslation(iterators.reject),
    ),
    Operator(
        "Collection(T)->collect(T | U) : Gathered(U)",
        FrameFunction(collected),
        "The values of an expression for each element, flat and without nulls. Several expressions give a tuple.",
        (f"{EXAMPLE}->collect(n | n * 2)", "Sequence{6, 2, 4, 2}"),
        CallTranslation(iterators.collect),
    ),
    Operator(
        "Collection(T)->exists(T | Boolean) : Boolean",
        FrameFunction(exists),
        "True if an element meets a condition.",
        (f"{EXAMPLE}->exists(n | n > 2)", "true"),
        CallTranslation(iterators.exists),
    ),
    Operator(
        "Collection(T)->forAll(T | Boolean) : Boolean",
        FrameFunction(for_all),
        "True if all elements meet a condition.",
        (f"{EXAMPLE}->forAll(n | n > 2)", "false"),
        CallTranslation(iterators.for_all),
    ),
    Operator(
        "Collection(T)->any(T | Boolean) : T",
        FrameFunction(any_of),
        "The first element that meets a condition; null if there is none.",
        (f"{EXAMPLE}->any(n | n < 3)", "1"),
        CallTranslation(ordered_access.any_of),
    ),
    Operator(
        "Collection(T)->one(T | Boolean) : Boolean",
        FrameFunction(one),
        "True if exactly one element meets a condition.",
        (f"{EXAMPLE}->one(n | n = 1)", "false"),
        CallTranslation(iterators.one),
    ),
    Operator(
        "Collection(T)->isUnique(T | U) : Boolean",
        FrameFunction(is_unique),
        "True if an expression has a different value for each element.",
        (f"{EXAMPLE}->isUnique(n | n)", "false"),
    ),
    Operator(
        "Collection(T)->orderBy(T | U) : Sequence(T)",
        FrameFunction(ascending),
        "The elements sorted by one or several expressions, null first. Elements that sort alike keep their order.",
        (f"{EXAMPLE}->orderBy(n | n)", "Sequence{1, 1, 2, 3}"),
        CallTranslation(iterators.order_by),
    ),
    Operator(
        "Collection(T)->orderDescending(T | U) : Sequence(T)",
        FrameFunction(descending),
        "As `orderBy`, in descending order, null last.",
        (f"{EXAMPLE}->orderDescending(n | n)", "Sequence{3, 2, 1, 1}"),
        CallTranslation(iterators.order_descending),
    ),
    Operator(
        "Collection(T)->sortedBy(T | U) : Sequence(T)",
        FrameFunction(ascending),
        "As `orderBy`; the OMG's name.",
        (f"{EXAMPLE}->sortedBy(n | 0 - n)", "Sequence{3, 2, 1, 1}"),
        CallTranslation(iterators.order_by),
    ),
    Operator(
        "Collection(T)->groupBy(T | U) : Sequence(Pair(U, Sequence(T)))",
        FrameFunction(grouped),
        "The elements grouped by an expression, as tuples of `key` and `items`.",
        (f"{EXAMPLE}->groupBy(n | n > 1)->collect(g | g.items->size)", "Sequence{2, 2}"),
    ),
    Operator(
        "Collection(T)->closure(T | Any) : Set(T)",
        FrameFunction(closure),
        "The elements, and all others that an expression reaches from them.",
        ("Set{1}->closure(n | if n < 4 then n + 1 else null endif)", "Set{1, 2, 3, 4}"),
    ),
    Operator(
        "Collection(T)->foreach(T | Any) : Nothing",
        FrameFunction(for_each),
        "Evaluates an expression for each element, and gives nothing.",
        (f"{EXAMPLE}->foreach(n | n)", "null"),
    ),
)
