"""Collections made of collections."""

from typing import Any

from afterwork.language.run.values import equality_key, unique
from afterwork.language.sql import collection_operations, ordered_access
from afterwork.language.typed.operator import CallTranslation, Operator, ValueFunction

Items = list[Any]


def union(one: Items, other: Items) -> Items:
    return [*one, *other]


def intersection(one: Items, other: Items) -> Items:
    wanted = {equality_key(item) for item in other}
    return [item for item in one if equality_key(item) in wanted]


def difference(one: Items, other: Items) -> Items:
    unwanted = {equality_key(item) for item in other}
    return [item for item in one if equality_key(item) not in unwanted]


def symmetric_difference(one: Items, other: Items) -> Items:
    return unique([*difference(one, other), *difference(other, one)])


def excluding(items: Items, unwanted: Any) -> Items:
    return [item for item in items if equality_key(item) != equality_key(unwanted)]


def unlike(items: Items, added: Any) -> Items:
    """With one more, unless it is there."""
    return unique([*items, added])


def section(items: Items, first: int, last: int) -> Items:
    return items[max(first, 1) - 1 : max(last, 0)]


def inserted(items: Items, place: int, added: Any) -> Items:
    index = min(max(place, 1), len(items) + 1) - 1
    return [*items[:index], added, *items[index:]]


ABC, BCD = "Sequence{1, 2, 2, 3}", "Sequence{2, 3, 4}"
SMALL, NEXT = "Set{1, 2}", "Set{2, 3}"

ROWS = (
    Operator(
        "Set(T)->union(Set(T)) : Set(T)",
        ValueFunction(lambda one, other: unique(union(one, other))),
        "What is in one of two sets.",
        (f"{SMALL}->union({NEXT})", "Set{1, 2, 3}"),
        CallTranslation(collection_operations.union),
    ),
    Operator(
        "OrderedSet(T)->union(Collection(T)) : OrderedSet(T)",
        ValueFunction(lambda one, other: unique(union(one, other))),
        "What is in one of both, each once.",
        ("OrderedSet{1}->union(Bag{1, 2})", "OrderedSet{1, 2}"),
    ),
    Operator(
        "Sequence(T)->union(Collection(T)) : Sequence(T)",
        ValueFunction(union),
        "One after the other.",
        (f"Sequence{{1}}->union({BCD})", "Sequence{1, 2, 3, 4}"),
    ),
    Operator(
        "Set(T)->union(OrderedSet(T)) : Set(T)",
        ValueFunction(lambda one, other: unique(union(one, other))),
        "What is in one of two sets.",
        (f"{SMALL}->union(OrderedSet{{3}})", "Set{1, 2, 3}"),
        CallTranslation(collection_operations.union),
    ),
    Operator(
        "Collection(T)->union(Collection(T)) : Bag(T)",
        ValueFunction(union),
        "All of both, with doubles.",
        (f"{SMALL}->union(Bag{{2}})", "Bag{1, 2, 2}"),
    ),
    Operator(
        "Collection(T)->intersection(Collection(T)) : Self",
        ValueFunction(intersection),
        "What is there that others have, too.",
        (f"{ABC}->intersection({BCD})", "Sequence{2, 2, 3}"),
        CallTranslation(collection_operations.intersection),
    ),
    Operator(
        "Collection(T)->difference(Collection(T)) : Self",
        ValueFunction(difference),
        "What is there that others don't have.",
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
        "What is in one of two, but not in both.",
        (f"{SMALL}->symmetricDifference({NEXT})", "Set{1, 3}"),
    ),
    Operator(
        "Set(T)->including(T) : Set(T)",
        ValueFunction(unlike),
        "With one more element.",
        (f"{SMALL}->including(2)", "Set{1, 2}"),
    ),
    Operator(
        "OrderedSet(T)->including(T) : OrderedSet(T)",
        ValueFunction(unlike),
        "With one more element at the end, unless it is there.",
        ("OrderedSet{2}->including(1)", "OrderedSet{2, 1}"),
    ),
    Operator(
        "Collection(T)->including(T) : Same(T)",
        ValueFunction(lambda items, added: [*items, added]),
        "With one more element at the end.",
        ("Bag{1}->including(1)", "Bag{1, 1}"),
    ),
    Operator(
        "Collection(T)->excluding(T) : Self",
        ValueFunction(excluding),
        "Without an element, however often it is there.",
        (f"{ABC}->excluding(2)", "Sequence{1, 3}"),
        CallTranslation(collection_operations.excluding),
    ),
    Operator(
        "OrderedSet(T)->append(T) : OrderedSet(T)",
        ValueFunction(unlike),
        "As `including`.",
        ("OrderedSet{2}->append(1)", "OrderedSet{2, 1}"),
    ),
    Operator(
        "Collection(T)->append(T) : Sequence(T)",
        ValueFunction(lambda items, added: [*items, added]),
        "With one more element at the end.",
        ("Sequence{2}->append(1)", "Sequence{2, 1}"),
    ),
    Operator(
        "Collection(T)->prepend(T) : Sequence(T)",
        ValueFunction(lambda items, added: [added, *items]),
        "With one more element at the beginning.",
        ("Sequence{2}->prepend(1)", "Sequence{1, 2}"),
    ),
    Operator(
        "Collection(T)->insertAt(Integer, T) : Sequence(T)",
        ValueFunction(inserted),
        "With one more element at a place.",
        ("Sequence{1, 3}->insertAt(2, 2)", "Sequence{1, 2, 3}"),
    ),
    Operator(
        "OrderedSet(T)->subSequence(Integer, Integer) : OrderedSet(T)",
        ValueFunction(section),
        "From one place to another, both included.",
        ("OrderedSet{3, 1, 2}->subSequence(1, 2)", "OrderedSet{3, 1}"),
        CallTranslation(ordered_access.section),
    ),
    Operator(
        "Collection(T)->subSequence(Integer, Integer) : Sequence(T)",
        ValueFunction(section),
        "From one place to another, both included.",
        (f"{ABC}->subSequence(2, 3)", "Sequence{2, 2}"),
        CallTranslation(ordered_access.section),
    ),
    Operator(
        "Collection(T)->reverse : Self",
        ValueFunction(lambda items: items[::-1]),
        "In the opposite order.",
        ("Sequence{1, 2}->reverse", "Sequence{2, 1}"),
        CallTranslation(ordered_access.reverse),
    ),
    Operator(
        "Collection(T)->asSet : Set(T)",
        ValueFunction(unique),
        "Each element once.",
        (f"{ABC}->asSet", "Set{1, 2, 3}"),
        CallTranslation(collection_operations.as_set),
    ),
    Operator(
        "Collection(T)->asOrderedSet : OrderedSet(T)",
        ValueFunction(unique),
        "Each element once, where it stood first.",
        ("Sequence{2, 1, 2}->asOrderedSet", "OrderedSet{2, 1}"),
        CallTranslation(collection_operations.as_ordered_set),
    ),
    Operator(
        "Collection(T)->asBag : Bag(T)",
        ValueFunction(list),
        "The elements without their order.",
        (f"{ABC}->asBag", "Bag{1, 2, 3, 2}"),
        CallTranslation(collection_operations.same),
    ),
    Operator(
        "Collection(T)->asSequence : Sequence(T)",
        ValueFunction(list),
        "The elements as they stand.",
        ("OrderedSet{2, 1}->asSequence", "Sequence{2, 1}"),
        CallTranslation(collection_operations.same),
    ),
    Operator(
        "Collection(T)->flatten : Gathered(T)",
        ValueFunction(list),
        "All that is in its collections. As those are flattened anyway, it changes nothing.",
        ("Bag{Set{1}, Set{2}}->flatten", "Bag{1, 2}"),
        CallTranslation(collection_operations.same),
    ),
)
