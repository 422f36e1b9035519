"""Queries of collections. Collections hold no nulls; positions are counted from 1."""

from decimal import Decimal
from typing import Any

from afterwork.language.operators.numbers import added
from afterwork.language.run.evaluation import Evaluation
from afterwork.language.run.values import Items, SortKey, equality_key, rounded, text_of
from afterwork.language.sql import collection_operations
from afterwork.language.sql import collection_queries as sql
from afterwork.language.typed.operator import Declare, EvaluationFunction

SIZE = "The number of elements. `Sequence{3, 1, 2, 1}->size` = `4`"
NOT_EMPTY = "True if there are elements. `Sequence{3, 1, 2, 1}->notEmpty` = `true`"

size = Declare("Collection(T)->size : Integer", SIZE, call=sql.size)(len)


@Declare("Collection(T)->count(T?) : Integer", call=sql.count)
def count(items: Items, element: Any) -> int:
    """The number of times that an element occurs; 0 for null. `Sequence{3, 1, 2, 1}->count(1)` = `2`"""
    return sum(equality_key(item) == equality_key(element) for item in items)


@Declare("Collection(T)->isNullOrEmpty : Boolean", "As `isEmpty`. `Set{}->isNullOrEmpty` = `true`")
@Declare("Collection(T)->isEmpty : Boolean", call=sql.is_empty)
def is_empty(items: Items) -> bool:
    """True if there are no elements. `Set{}->isEmpty` = `true`"""
    return not items


not_empty = Declare("Collection(T)->notEmpty : Boolean", NOT_EMPTY, call=sql.not_empty)(bool)


@Declare("Collection(T)->includes(T?) : Boolean", call=sql.includes)
def includes(items: Items, element: Any) -> bool:
    """True if the collection contains an element; false for null. `Sequence{3, 1, 2, 1}->includes(2)` = `true`"""
    return any(equality_key(item) == equality_key(element) for item in items)


@Declare("Collection(T)->excludes(T?) : Boolean", call=sql.excludes)
def excludes(items: Items, element: Any) -> bool:
    """True if the collection doesn't contain an element. `Sequence{3, 1, 2, 1}->excludes(5)` = `true`"""
    return all(equality_key(item) != equality_key(element) for item in items)


@Declare("Collection(T)->includesAll(Collection(T)) : Boolean", call=sql.includes_all)
def includes_all(items: Items, others: Items) -> bool:
    """True if the collection contains all elements of another. `Sequence{3, 1, 2, 1}->includesAll(Set{1, 2})` =
    `true`"""
    return {equality_key(item) for item in others} <= {equality_key(item) for item in items}


@Declare("Collection(T)->excludesAll(Collection(T)) : Boolean", call=sql.excludes_all)
def excludes_all(items: Items, others: Items) -> bool:
    """True if the collection contains no element of another. `Sequence{3, 1, 2, 1}->excludesAll(Set{1, 5})` =
    `false`"""
    return {equality_key(item) for item in others}.isdisjoint(equality_key(item) for item in items)


@Declare("Collection(T)->first : T", call=collection_operations.first)
def first(items: Items) -> Any:
    """The first element; null if there is none. `Sequence{3, 1, 2, 1}->first` = `3`"""
    return items[0] if items else None


@Declare("Collection(T)->last : T", call=collection_operations.last)
def last(items: Items) -> Any:
    """The last element; null if there is none. `Sequence{3, 1, 2, 1}->last` = `1`"""
    return items[-1] if items else None


@Declare("Collection(T)->at(Integer) : T", call=collection_operations.at)
def at(items: Items, position: int) -> Any:
    """The element at a position; null if there is none. `Sequence{3, 1, 2, 1}->at(3)` = `2`"""
    return items[position - 1] if 1 <= position <= len(items) else None


@Declare("Collection(T)->indexOf(T) : Integer")
def index_of(items: Items, element: Any) -> int:
    """The first position of an element; 0 if there is none. `Sequence{3, 1, 2, 1}->indexOf(1)` = `2`"""
    keys = [equality_key(item) for item in items]
    return keys.index(equality_key(element)) + 1 if equality_key(element) in keys else 0


def _total(items: Items) -> Any:
    result: Any = 0
    for item in items:
        result = added(result, item)
    return result


SUM = "The sum; 0 for an empty collection. `Sequence{3, 1, 2, 1}->sum` = `7`"
DECIMAL_MEAN = "The mean, of decimals to 10 places; null for an empty collection. `Bag{1.5, 2.5}->avg` = `2.0`"

total = Declare("Collection(N)->sum : N", SUM, call=sql.total)(_total)


@Declare("Collection(N)->average : N", "As `avg`. `Bag{1.5, 2.5}->average` = `2.0`")
@Declare("Collection(Integer)->average : Real", "As `avg`. `Sequence{3, 1, 2, 1}->average` = `7 / 4`")
@Declare("Collection(N)->avg : N", DECIMAL_MEAN)
@Declare("Collection(Integer)->avg : Real", call=sql.average)
def average(items: Items) -> Any:
    """The mean; null for an empty collection. `Sequence{3, 1, 2, 1}->avg` = `7 / 4`"""
    if not items:
        return None
    result = _total(items)
    return float(result / len(items)) if not isinstance(result, Decimal) else rounded(result / len(items))


@Declare("Collection(T)->max : T", "As `maxValue`; the OMG's name. `Sequence{3, 1, 2, 1}->max` = `3`")
@Declare("Collection(T)->maxValue : T", call=sql.largest)
def largest(items: Items) -> Any:
    """The largest element; null for an empty collection. `Sequence{3, 1, 2, 1}->maxValue` = `3`"""
    return max(items, key=SortKey, default=None)


@Declare("Collection(T)->min : T", "As `minValue`; the OMG's name. `Sequence{3, 1, 2, 1}->min` = `1`")
@Declare("Collection(T)->minValue : T", call=sql.smallest)
def smallest(items: Items) -> Any:
    """The smallest element; null for an empty collection. `Sequence{3, 1, 2, 1}->minValue` = `1`"""
    return min(items, key=SortKey, default=None)


def _separated(evaluation: Evaluation, items: Items, separator: str = ", ") -> str:
    written = [text_of(item) for item in items]
    evaluation.check_length(sum(map(len, written)) + len(separator) * len(items))
    return separator.join(written)


as_comma_list = Declare(
    "Collection(T)->asCommaList : String",
    "All elements as text, with `, ` between them. `Sequence{3, 1, 2, 1}->asCommaList` = `'3, 1, 2, 1'`",
    kind=EvaluationFunction,
)(_separated)
as_separated_list = Declare(
    "Collection(T)->asSeparatedList(String) : String",
    "All elements as text, with a separator between them. `Sequence{3, 1, 2, 1}->asSeparatedList('-')` = `'3-1-2-1'`",
    kind=EvaluationFunction,
)(_separated)
