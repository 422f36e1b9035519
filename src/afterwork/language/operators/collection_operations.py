"""Operators that make collections of collections."""

from typing import Any

from afterwork.language.run.values import Items, equality_key, unique
from afterwork.language.sql import collection_operations as sql
from afterwork.language.typed.operator import Declare

# Of several that fit, the first is meant: the union of any collections comes last.


def _in_either(left: Items, right: Items) -> Items:
    return unique([*left, *right])


OF_SETS = "The elements of either set. `Set{1, 2}->union(Set{2, 3})` = `Set{1, 2, 3}`"
OF_ORDERED_SET = "The elements of either set. `Set{1, 2}->union(OrderedSet{3})` = `Set{1, 2, 3}`"
IN_ORDER = "The elements of either collection, each once. `OrderedSet{1}->union(Bag{1, 2})` = `OrderedSet{1, 2}`"

union_of_sets = Declare("Set(T)->union(OrderedSet(T)) : Set(T)", OF_ORDERED_SET)(
    Declare("Set(T)->union(Set(T)) : Set(T)", OF_SETS, call=sql.union)(_in_either)
)
union_in_order = Declare("OrderedSet(T)->union(Collection(T)) : OrderedSet(T)", IN_ORDER)(_in_either)


@Declare(
    "Collection(T)->union(Collection(T)) : Bag(T)",
    "All elements of both, with duplicates. `Set{1, 2}->union(Bag{2})` = `Bag{1, 2, 2}`",
)
@Declare("Sequence(T)->union(Collection(T)) : Sequence(T)")
def concatenation(left: Items, right: Items) -> Items:
    """The concatenation. `Sequence{1}->union(Sequence{2, 3, 4})` = `Sequence{1, 2, 3, 4}`"""
    return [*left, *right]


@Declare("Collection(T)->intersection(Collection(T)) : Self", call=sql.intersection)
def intersection(left: Items, right: Items) -> Items:
    """The elements that are also in another collection.
    `Sequence{1, 2, 2, 3}->intersection(Sequence{2, 3, 4})` = `Sequence{2, 2, 3}`"""
    right_keys = {equality_key(item) for item in right}
    return [item for item in left if equality_key(item) in right_keys]


def _difference(left: Items, right: Items) -> Items:
    right_keys = {equality_key(item) for item in right}
    return [item for item in left if equality_key(item) not in right_keys]


difference = Declare("Collection(T) - Collection(T) : Self", "As `difference`. `Set{1, 2} - Set{2, 3}` = `Set{1}`")(
    Declare(
        "Collection(T)->difference(Collection(T)) : Self",
        "The elements that are not in another collection. "
        "`Sequence{1, 2, 2, 3}->difference(Sequence{2, 3, 4})` = `Sequence{1}`",
        call=sql.difference,
    )(_difference)
)


@Declare("Collection(T)->symmetricDifference(Collection(T)) : Set(T)")
def symmetric_difference(left: Items, right: Items) -> Items:
    """The elements that are in exactly one of two collections.
    `Set{1, 2}->symmetricDifference(Set{2, 3})` = `Set{1, 3}`"""
    return unique([*_difference(left, right), *_difference(right, left)])


@Declare("OrderedSet(T)->append(T) : OrderedSet(T)", "As `including`. `OrderedSet{2}->append(1)` = `OrderedSet{2, 1}`")
@Declare(
    "OrderedSet(T)->including(T) : OrderedSet(T)",
    "The collection with one more element at its end, unless it is there already. "
    "`OrderedSet{2}->including(1)` = `OrderedSet{2, 1}`",
)
@Declare("Set(T)->including(T) : Set(T)")
def including_once(items: Items, added: Any) -> Items:
    """The set with one more element. `Set{1, 2}->including(2)` = `Set{1, 2}`"""
    return unique([*items, added])


@Declare(
    "Collection(T)->append(T) : Sequence(T)",
    "The collection with one more element at its end. `Sequence{2}->append(1)` = `Sequence{2, 1}`",
)
@Declare("Collection(T)->including(T) : Same(T)")
def including(items: Items, added: Any) -> Items:
    """The collection with one more element at its end. `Bag{1}->including(1)` = `Bag{1, 1}`"""
    return [*items, added]


@Declare("Collection(T)->excluding(T) : Self", call=sql.excluding)
def excluding(items: Items, unwanted: Any) -> Items:
    """The collection without any occurrence of an element.
    `Sequence{1, 2, 2, 3}->excluding(2)` = `Sequence{1, 3}`"""
    return [item for item in items if equality_key(item) != equality_key(unwanted)]


@Declare("Collection(T)->prepend(T) : Sequence(T)")
def prepended(items: Items, added: Any) -> Items:
    """The collection with one more element at its beginning. `Sequence{2}->prepend(1)` = `Sequence{1, 2}`"""
    return [added, *items]


@Declare("Collection(T)->insertAt(Integer, T) : Sequence(T)")
def inserted(items: Items, position: int, added: Any) -> Items:
    """The collection with one more element at a position. `Sequence{1, 3}->insertAt(2, 2)` = `Sequence{1, 2, 3}`"""
    index = min(max(position, 1), len(items) + 1) - 1
    return [*items[:index], added, *items[index:]]


@Declare(
    "Collection(T)->subSequence(Integer, Integer) : Sequence(T)",
    "The elements from one position to another, both included. "
    "`Sequence{1, 2, 2, 3}->subSequence(2, 3)` = `Sequence{2, 2}`",
)
@Declare("OrderedSet(T)->subSequence(Integer, Integer) : OrderedSet(T)", call=sql.section)
def section(items: Items, first: int, last: int) -> Items:
    """The elements from one position to another, both included.
    `OrderedSet{3, 1, 2}->subSequence(1, 2)` = `OrderedSet{3, 1}`"""
    return items[max(first, 1) - 1 : max(last, 0)]


@Declare("Collection(T)->reverse : Self", call=sql.reverse)
def reverse(items: Items) -> Items:
    """The elements in reverse order. `Sequence{1, 2}->reverse` = `Sequence{2, 1}`"""
    return items[::-1]


DISTINCT = "The elements, each once. `Sequence{1, 2, 2, 3}->asSet` = `Set{1, 2, 3}`"
FIRST_ONES = "The elements, each once, at its first position. `Sequence{2, 1, 2}->asOrderedSet` = `OrderedSet{2, 1}`"
UNORDERED = "The elements without their order. `Sequence{1, 2, 2, 3}->asBag` = `Bag{1, 2, 3, 2}`"
ORDERED = "The elements in their present order. `OrderedSet{2, 1}->asSequence` = `Sequence{2, 1}`"
FLAT = (
    "The elements of nested collections. As those are flattened anyway, it changes nothing. "
    "`Bag{Set{1}, Set{2}}->flatten` = `Bag{1, 2}`"
)

as_set = Declare("Collection(T)->asSet : Set(T)", DISTINCT, call=sql.as_set)(unique)
as_ordered_set = Declare("Collection(T)->asOrderedSet : OrderedSet(T)", FIRST_ONES, call=sql.as_ordered_set)(unique)
as_they_are = Declare("Collection(T)->flatten : Gathered(T)", FLAT)(
    Declare("Collection(T)->asSequence : Sequence(T)", ORDERED)(
        Declare("Collection(T)->asBag : Bag(T)", UNORDERED, call=sql.as_they_are)(list)
    )
)
