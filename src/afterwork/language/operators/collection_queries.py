"""What collections are asked for. They hold no nulls; places are counted from 1."""

from decimal import Decimal
from typing import Any

from afterwork.language.operators.numbers import add
from afterwork.language.run.evaluation import Run
from afterwork.language.run.values import Sorted, key, rounded, text_of
from afterwork.language.sql import aggregates, collection_queries, ordered_access
from afterwork.language.typed.operator import InRun, Operator, Plain, Rows

Items = list[Any]


def count(items: Items, wanted: Any) -> int:
    return sum(key(item) == key(wanted) for item in items)


def includes(items: Items, wanted: Any) -> bool:
    return any(key(item) == key(wanted) for item in items)


def includes_all(items: Items, wanted: Items) -> bool:
    return {key(item) for item in wanted} <= {key(item) for item in items}


def excludes_all(items: Items, wanted: Items) -> bool:
    return {key(item) for item in wanted}.isdisjoint(key(item) for item in items)


def at(items: Items, place: int) -> Any:
    return items[place - 1] if 1 <= place <= len(items) else None


def index_of(items: Items, wanted: Any) -> int:
    keys = [key(item) for item in items]
    return keys.index(key(wanted)) + 1 if key(wanted) in keys else 0


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
    return max(items, key=Sorted, default=None)


def smallest(items: Items) -> Any:
    return min(items, key=Sorted, default=None)


def separated(run: Run, items: Items, separator: str) -> str:
    written = [text_of(item) for item in items]
    run.room(sum(map(len, written)) + len(separator) * len(items))
    return separator.join(written)


FOUR = "Sequence{3, 1, 2, 1}"

ROWS = (
    Operator(
        "Collection(T)->size : Integer",
        Plain(len),
        "How many elements there are.",
        (f"{FOUR}->size", "4"),
        Rows(collection_queries.size),
    ),
    Operator(
        "Collection(T)->count(T?) : Integer",
        Plain(count),
        "How often an element is there. Null never is.",
        (f"{FOUR}->count(1)", "2"),
        Rows(collection_queries.count),
    ),
    Operator(
        "Collection(T)->isEmpty : Boolean",
        Plain(lambda items: not items),
        "Whether there are no elements.",
        ("Set{}->isEmpty", "true"),
        Rows(collection_queries.is_empty),
    ),
    Operator(
        "Collection(T)->notEmpty : Boolean",
        Plain(bool),
        "Whether there are elements.",
        (f"{FOUR}->notEmpty", "true"),
        Rows(collection_queries.not_empty),
    ),
    Operator(
        "Collection(T)->isNullOrEmpty : Boolean",
        Plain(lambda items: not items),
        "As `isEmpty`.",
        ("Set{}->isNullOrEmpty", "true"),
        Rows(collection_queries.is_empty),
    ),
    Operator(
        "Collection(T)->includes(T?) : Boolean",
        Plain(includes),
        "Whether an element is there. Null never is.",
        (f"{FOUR}->includes(2)", "true"),
        Rows(collection_queries.includes),
    ),
    Operator(
        "Collection(T)->excludes(T?) : Boolean",
        Plain(lambda items, wanted: not includes(items, wanted)),
        "Whether an element is not there.",
        (f"{FOUR}->excludes(5)", "true"),
        Rows(collection_queries.excludes),
    ),
    Operator(
        "Collection(T)->includesAll(Collection(T)) : Boolean",
        Plain(includes_all),
        "Whether all of others are there.",
        (f"{FOUR}->includesAll(Set{{1, 2}})", "true"),
        Rows(collection_queries.includes_all),
    ),
    Operator(
        "Collection(T)->excludesAll(Collection(T)) : Boolean",
        Plain(excludes_all),
        "Whether none of others is there.",
        (f"{FOUR}->excludesAll(Set{{1, 5}})", "false"),
        Rows(collection_queries.excludes_all),
    ),
    Operator(
        "Collection(T)->first : T",
        Plain(lambda items: items[0] if items else None),
        "The first element; null if there is none.",
        (f"{FOUR}->first", "3"),
        Rows(ordered_access.first),
    ),
    Operator(
        "Collection(T)->last : T",
        Plain(lambda items: items[-1] if items else None),
        "The last element; null if there is none.",
        (f"{FOUR}->last", "1"),
        Rows(ordered_access.last),
    ),
    Operator(
        "Collection(T)->at(Integer) : T",
        Plain(at),
        "The element at a place; null if there is none.",
        (f"{FOUR}->at(3)", "2"),
        Rows(ordered_access.at),
    ),
    Operator(
        "Collection(T)->indexOf(T) : Integer",
        Plain(index_of),
        "The first place of an element; 0 if it is not there.",
        (f"{FOUR}->indexOf(1)", "2"),
    ),
    Operator(
        "Collection(N)->sum : N",
        Plain(total),
        "All elements together; 0 of none.",
        (f"{FOUR}->sum", "7"),
        Rows(aggregates.total),
    ),
    Operator(
        "Collection(Integer)->avg : Real",
        Plain(average),
        "The mean; null of none.",
        (f"{FOUR}->avg", "7 / 4"),
        Rows(aggregates.average),
    ),
    Operator(
        "Collection(N)->avg : N",
        Plain(average),
        "The mean; of decimals to 10 places.",
        ("Bag{1.5, 2.5}->avg", "2.0"),
        Rows(aggregates.average),
    ),
    Operator(
        "Collection(Integer)->average : Real",
        Plain(average),
        "As `avg`.",
        (f"{FOUR}->average", "7 / 4"),
        Rows(aggregates.average),
    ),
    Operator(
        "Collection(N)->average : N",
        Plain(average),
        "As `avg`.",
        ("Bag{1.5, 2.5}->average", "2.0"),
        Rows(aggregates.average),
    ),
    Operator(
        "Collection(T)->maxValue : T",
        Plain(largest),
        "The largest element; null of none.",
        (f"{FOUR}->maxValue", "3"),
        Rows(aggregates.largest),
    ),
    Operator(
        "Collection(T)->minValue : T",
        Plain(smallest),
        "The smallest element; null of none.",
        (f"{FOUR}->minValue", "1"),
        Rows(aggregates.smallest),
    ),
    Operator(
        "Collection(T)->max : T",
        Plain(largest),
        "As `maxValue`; the OMG's name.",
        (f"{FOUR}->max", "3"),
        Rows(aggregates.largest),
    ),
    Operator(
        "Collection(T)->min : T",
        Plain(smallest),
        "As `minValue`; the OMG's name.",
        (f"{FOUR}->min", "1"),
        Rows(aggregates.smallest),
    ),
    Operator(
        "Collection(T)->asCommaList : String",
        InRun(lambda run, items: separated(run, items, ", ")),
        "All elements as texts, with `, ` between them.",
        (f"{FOUR}->asCommaList", "'3, 1, 2, 1'"),
    ),
    Operator(
        "Collection(T)->asSeparatedList(String) : String",
        InRun(separated),
        "All elements as texts, with a separator between them.",
        (f"{FOUR}->asSeparatedList('-')", "'3-1-2-1'"),
    ),
)
