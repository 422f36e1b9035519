"""Queries of collections. Collections hold no nulls; positions are counted from 1."""

from decimal import Decimal
from typing import Any

from afterwork.language.operators.numbers import add
from afterwork.language.run.evaluation import Evaluation
from afterwork.language.run.values import SortKey, equality_key, rounded, text_of
from afterwork.language.sql import aggregates, collection_queries, ordered_access
from afterwork.language.typed.operator import CallTranslation, EvaluationFunction, Operator, ValueFunction

Items = list[Any]


def count(items: Items, element: Any) -> int:
    return sum(equality_key(item) == equality_key(element) for item in items)


def includes(items: Items, element: Any) -> bool:
    return any(equality_key(item) == equality_key(element) for item in items)


def includes_all(items: Items, others: Items) -> bool:
    return {equality_key(item) for item in others} <= {equality_key(item) for item in items}


def excludes_all(items: Items, others: Items) -> bool:
    return {equality_key(item) for item in others}.isdisjoint(equality_key(item) for item in items)


def at(items: Items, position: int) -> Any:
    return items[position - 1] if 1 <= position <= len(items) else None


def index_of(items: Items, element: Any) -> int:
    keys = [equality_key(item) for item in items]
    return keys.index(equality_key(element)) + 1 if equality_key(element) in keys else 0


def total(items: Items) -> Any:
    result: Any = 0
    for item in items:
        result = add(result, item)
    return result


def average(items: Items) -> Any:
    if not items:
        return None
    result = total(items)
    return float(result / len(items)) if not isinstance(result, Decimal) else rounded(result / len(items))


def largest(items: Items) -> Any:
    return max(items, key=SortKey, default=None)


def smallest(items: Items) -> Any:
    return min(items, key=SortKey, default=None)


def separated(evaluation: Evaluation, items: Items, separator: str) -> str:
    written = [text_of(item) for item in items]
    evaluation.check_length(sum(map(len, written)) + len(separator) * len(items))
    return separator.join(written)


EXAMPLE = "Sequence{3, 1, 2, 1}"

OPERATORS = (
    Operator(
        "Collection(T)->size : Integer",
        ValueFunction(len),
        "The number of elements.",
        (f"{EXAMPLE}->size", "4"),
        CallTranslation(collection_queries.size),
    ),
    Operator(
        "Collection(T)->count(T?) : Integer",
        ValueFunction(count),
        "The number of times that an element occurs; 0 for null.",
        (f"{EXAMPLE}->count(1)", "2"),
        CallTranslation(collection_queries.count),
    ),
    Operator(
        "Collection(T)->isEmpty : Boolean",
        ValueFunction(lambda items: not items),
        "True if there are no elements.",
        ("Set{}->isEmpty", "true"),
        CallTranslation(collection_queries.is_empty),
    ),
    Operator(
        "Collection(T)->notEmpty : Boolean",
        ValueFunction(bool),
        "True if there are elements.",
        (f"{EXAMPLE}->notEmpty", "true"),
        CallTranslation(collection_queries.not_empty),
    ),
    Operator(
        "Collection(T)->isNullOrEmpty : Boolean",
        ValueFunction(lambda items: not items),
        "As `isEmpty`.",
        ("Set{}->isNullOrEmpty", "true"),
        CallTranslation(collection_queries.is_empty),
    ),
    Operator(
        "Collection(T)->includes(T?) : Boolean",
        ValueFunction(includes),
        "True if the collection contains an element; false for null.",
        (f"{EXAMPLE}->includes(2)", "true"),
        CallTranslation(collection_queries.includes),
    ),
    Operator(
        "Collection(T)->excludes(T?) : Boolean",
        ValueFunction(lambda items, element: not includes(items, element)),
        "True if the collection doesn't contain an element.",
        (f"{EXAMPLE}->excludes(5)", "true"),
        CallTranslation(collection_queries.excludes),
    ),
    Operator(
        "Collection(T)->includesAll(Collection(T)) : Boolean",
        ValueFunction(includes_all),
        "True if the collection contains all elements of another.",
        (f"{EXAMPLE}->includesAll(Set{{1, 2}})", "true"),
        CallTranslation(collection_queries.includes_all),
    ),
    Operator(
        "Collection(T)->excludesAll(Collection(T)) : Boolean",
        ValueFunction(excludes_all),
        "True if the collection contains no element of another.",
        (f"{EXAMPLE}->excludesAll(Set{{1, 5}})", "false"),
        CallTranslation(collection_queries.excludes_all),
    ),
    Operator(
        "Collection(T)->first : T",
        ValueFunction(lambda items: items[0] if items else None),
        "The first element; null if there is none.",
        (f"{EXAMPLE}->first", "3"),
        CallTranslation(ordered_access.first),
    ),
    Operator(
        "Collection(T)->last : T",
        ValueFunction(lambda items: items[-1] if items else None),
        "The last element; null if there is none.",
        (f"{EXAMPLE}->last", "1"),
        CallTranslation(ordered_access.last),
    ),
    Operator(
        "Collection(T)->at(Integer) : T",
        ValueFunction(at),
        "The element at a position; null if there is none.",
        (f"{EXAMPLE}->at(3)", "2"),
        CallTranslation(ordered_access.at),
    ),
    Operator(
        "Collection(T)->indexOf(T) : Integer",
        ValueFunction(index_of),
        "The first position of an element; 0 if there is none.",
        (f"{EXAMPLE}->indexOf(1)", "2"),
    ),
    Operator(
        "Collection(N)->sum : N",
        ValueFunction(total),
        "The sum; 0 for an empty collection.",
        (f"{EXAMPLE}->sum", "7"),
        CallTranslation(aggregates.total),
    ),
    Operator(
        "Collection(Integer)->avg : Real",
        ValueFunction(average),
        "The mean; null for an empty collection.",
        (f"{EXAMPLE}->avg", "7 / 4"),
        CallTranslation(aggregates.average),
    ),
    Operator(
        "Collection(N)->avg : N",
        ValueFunction(average),
        "The mean, of decimals to 10 places; null for an empty collection.",
        ("Bag{1.5, 2.5}->avg", "2.0"),
        CallTranslation(aggregates.average),
    ),
    Operator(
        "Collection(Integer)->average : Real",
        ValueFunction(average),
        "As `avg`.",
        (f"{EXAMPLE}->average", "7 / 4"),
        CallTranslation(aggregates.average),
    ),
    Operator(
        "Collection(N)->average : N",
        ValueFunction(average),
        "As `avg`.",
        ("Bag{1.5, 2.5}->average", "2.0"),
        CallTranslation(aggregates.average),
    ),
    Operator(
        "Collection(T)->maxValue : T",
        ValueFunction(largest),
        "The largest element; null for an empty collection.",
        (f"{EXAMPLE}->maxValue", "3"),
        CallTranslation(aggregates.largest),
    ),
    Operator(
        "Collection(T)->minValue : T",
        ValueFunction(smallest),
        "The smallest element; null for an empty collection.",
        (f"{EXAMPLE}->minValue", "1"),
        CallTranslation(aggregates.smallest),
    ),
    Operator(
        "Collection(T)->max : T",
        ValueFunction(largest),
        "As `maxValue`; the OMG's name.",
        (f"{EXAMPLE}->max", "3"),
        CallTranslation(aggregates.largest),
    ),
    Operator(
        "Collection(T)->min : T",
        ValueFunction(smallest),
        "As `minValue`; the OMG's name.",
        (f"{EXAMPLE}->min", "1"),
        CallTranslation(aggregates.smallest),
    ),
    Operator(
        "Collection(T)->asCommaList : String",
        EvaluationFunction(lambda evaluation, items: separated(evaluation, items, ", ")),
        "All elements as text, with `, ` between them.",
        (f"{EXAMPLE}->asCommaList", "'3, 1, 2, 1'"),
    ),
    Operator(
        "Collection(T)->asSeparatedList(String) : String",
        EvaluationFunction(separated),
        "All elements as text, with a separator between them.",
        (f"{EXAMPLE}->asSeparatedList('-')", "'3-1-2-1'"),
    ),
)
