"""Operators that make collections of collections."""

from typing import Any

from afterwork.language.run.values import equality_key, unique
from afterwork.language.sql import collection_operations, ordered_access
from afterwork.language.typed.operator import CallTranslation, Operator, ValueFunction

Items = list[Any]


def union(left: Items, right: Items) -> Items:
    return [*left, *right]


def intersection(left: Items, right: Items) -> Items:
    right_keys = {equality_key(item) for item in right}
    return [item for item in left if equality_key(item) in right_keys]


def difference(left: Items, right: Items) -> Items:
    right_keys = {equality_key(item) for item in right}
    return [item for item in left if equality_key(item) not in right_keys]


def symmetric_difference(left: Items, right: Items) -> Items:
    return unique([*difference(left, right), *difference(right, left)])


def excluding(items: Items, unwanted: Any) -> Items:
    return [item for item in items if equality_key(item) != equality_key(unwanted)]


def including_once(items: Items, added: Any) -> Items:
    """Return a collection with one more element, unless it is there already."""
    return unique([*items, added])


def section(items: Items, first: int, last: int) -> Items:
    return items[max(first, 1) - 1 : max(last, 0)]


def inserted(items: Items, position: int, added: Any) -> Items:
    index = min(max(position, 1), len(items) + 1) - 1
    return [*items[:index], added, *items[index:]]


ABC, BCD = "Sequence{1, 2, 2, 3}", "Sequence{2, 3, 4}"
SMALL, NEXT = "Set{1, 2}", "Set{2, 3}"

OPERATORS = (
    Operator(
        "Set(T)->union(Set(T)) : Set(T)",
        ValueFunction(lambda left, right: unique(union(left, right))),
        "The elements of either set.",
        (f"{SMALL}->union({NEXT})", "Set{1, 2, 3}"),
        CallTranslation(collection_operations.union),
    ),
    Operator(
        "OrderedSet(T)->union(Collection(T)) : OrderedSet(T)",
        ValueFunction(lambda left, right: unique(union(left, right))),
        "The elements of either collection, each once.",
        ("OrderedSet{1}->union(Bag{1, 2})", "OrderedSet{1, 2}"),
    ),
    Operator(
        "Sequence(T)->union(Collection(T)) : Sequence(T)",
        ValueFunction(union),
        "The concatenation.",
        (f"Sequence{{1}}->union({BCD})", "Sequence{1, 2, 3, 4}"),
    ),
    Operator(
        "Set(T)->union(OrderedSet(T)) : Set(T)",
        ValueFunction(lambda left, right: unique(union(left, right))),
        "The elements of either set.",
        (f"{SMALL}->union(OrderedSet{{3}})", "Set{1, 2, 3}"),
        CallTranslation(collection_operations.union),
    ),
    Operator(
        "Collection(T)->union(Collection(T)) : Bag(T)",
        ValueFunction(union),
        "All elements of both, with duplicates.",
        (f"{SMALL}->union(Bag{{2}})", "Bag{1, 2, 2}"),
    ),
    Operator(
        "Collection(T)->intersection(Collection(T)) : Self",
        ValueFunction(intersection),
        "The elements that are also in another collection.",
        (f"{ABC}->intersection({BCD})", "Sequence{2, 2, 3}"),
        CallTranslation(collection_operations.intersection),
    ),
    Operator(
        "Collection(T)->difference(Collection(T)) : Self",
        ValueFunction(difference),
        "The elements that are not in another collection.",
        (f"{ABC}->difference({BCD})", "Sequence{1}"),
        CallTranslation(collection_operations.difference),
    ),
    Operator(
        "Collection(T) - Collection(T) : Self",
        ValueFunction(difference),
        "As `difference`.",
        (f"{SMALL} - {NEXT}", "Set{1}"),
        CallTranslation(collection_operations.difference),
    ),
    Operator(
        "Collection(T)->symmetricDifference(Collection(T)) : Set(T)",
        ValueFunction(symmetric_difference),
        "The elements that are in exactly one of two collections.",
        (f"{SMALL}->symmetricDifference({NEXT})", "Set{1, 3}"),
    ),
    Operator(
        "Set(T)->including(T) : Set(T)",
        ValueFunction(including_once),
        "The set with one more element.",
        (f"{SMALL}->including(2)", "Set{1, 2}"),
    ),
    Operator(
        "OrderedSet(T)->including(T) : OrderedSet(T)",
        ValueFunction(including_once),
        "The collection with one more element at its end, unless it is there already.",
        ("OrderedSet{2}->including(1)", "OrderedSet{2, 1}"),
    ),
    Operator(
        "Collection(T)->including(T) : Same(T)",
        ValueFunction(lambda items, added: [*items, added]),
        "The collection with one more element at its end.",
        ("Bag{1}->including(1)", "Bag{1, 1}"),
    ),
    Operator(
        "Collection(T)->excluding(T) : Self",
        ValueFunction(excluding),
        "The collection without any occurrence of an element.",
        (f"{ABC}->excluding(2)", "Sequence{1, 3}"),
        CallTranslation(collection_operations.excluding),
    ),
    Operator(
        "OrderedSet(T)->append(T) : OrderedSet(T)",
        ValueFunction(including_once),
        "As `including`.",
        ("OrderedSet{2}->append(1)", "OrderedSet{2, 1}"),
    ),
    Operator(
        "Collection(T)->append(T) : Sequence(T)",
        ValueFunction(lambda items, added: [*items, added]),
        "The collection with one more element at its end.",
        ("Sequence{2}->append(1)", "Sequence{2, 1}"),
    ),
    Operator(
        "Collection(T)->prepend(T) : Sequence(T)",
        ValueFunction(lambda items, added: [added, *items]),
        "The collection with one more element at its beginning.",
        ("Sequence{2}->prepend(1)", "Sequence{1, 2}"),
    ),
    Operator(
        "Collection(T)->insertAt(Integer, T) : Sequence(T)",
        ValueFunction(inserted),
        "The collection with one more element at a position.",
        ("Sequence{1, 3}->insertAt(2, 2)", "Sequence{1, 2, 3}"),
    ),
    Operator(
        "OrderedSet(T)->subSequence(Integer, Integer) : OrderedSet(T)",
        ValueFunction(section),
        "The elements from one position to another, both included.",
        ("OrderedSet{3, 1, 2}->subSequence(1, 2)", "OrderedSet{3, 1}"),
        CallTranslation(ordered_access.section),
    ),
    Operator(
        "Collection(T)->subSequence(Integer, Integer) : Sequence(T)",
        ValueFunction(section),
        "The elements from one position to another, both included.",
        (f"{ABC}->subSequence(2, 3)", "Sequence{2, 2}"),
        CallTranslation(ordered_access.section),
    ),
    Operator(
        "Collection(T)->reverse : Self",
        ValueFunction(lambda items: items[::-1]),
        "The elements in reverse order.",
        ("Sequence{1, 2}->reverse", "Sequence{2, 1}"),
        CallTranslation(ordered_access.reverse),
    ),
    Operator(
        "Collection(T)->asSet : Set(T)",
        ValueFunction(unique),
        "The elements, each once.",
        (f"{ABC}->asSet", "Set{1, 2, 3}"),
        CallTranslation(collection_operations.as_set),
    ),
    Operator(
        "Collection(T)->asOrderedSet : OrderedSet(T)",
        ValueFunction(unique),
        "The elements, each once, at its first position.",
        ("Sequence{2, 1, 2}->asOrderedSet", "OrderedSet{2, 1}"),
        CallTranslation(collection_operations.as_ordered_set),
    ),
    Operator(
        "Collection(T)->asBag : Bag(T)",
        ValueFunction(list),
        "The elements without their order.",
        (f"{ABC}->asBag", "Bag{1, 2, 3, 2}"),
        CallTranslation(collection_operations.as_they_are),
    ),
    Operator(
        "Collection(T)->asSequence : Sequence(T)",
        ValueFunction(list),
        "The elements in their present order.",
        ("OrderedSet{2, 1}->asSequence", "Sequence{2, 1}"),
        CallTranslation(collection_operations.as_they_are),
    ),
    Operator(
        "Collection(T)->flatten : Gathered(T)",
        ValueFunction(list),
        "The elements of nested collections. As those are flattened anyway, it changes nothing.",
        ("Bag{Set{1}, Set{2}}->flatten", "Bag{1, 2}"),
        CallTranslation(collection_operations.as_they_are),
    ),
)
