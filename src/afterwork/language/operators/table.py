"""All operators, by name."""

import functools
from collections.abc import Mapping, Sequence

from afterwork.language.operators import (
    classes,
    collection_operations,
    collection_queries,
    formats,
    iterators,
    numbers,
    objects,
    parsing,
    strings,
    timestamps,
)
from afterwork.language.syntax.spelling import folded
from afterwork.language.typed.operator import Operator, declared_in

CHAPTERS: Mapping[str, Sequence[Operator]] = {
    "Numbers": declared_in(numbers),
    "Texts": declared_in(strings, formats, parsing),
    "Timestamps, dates and durations": declared_in(timestamps),
    "Queries of collections": declared_in(collection_queries),
    "Iterators": declared_in(iterators),
    "Collections of collections": declared_in(collection_operations),
    "Values and objects": declared_in(objects),
    "Classes and changes": declared_in(classes),
}
"""The operators in the order of the reference."""


@functools.cache
def table() -> Mapping[str, tuple[Operator, ...]]:
    """Return the operators by their folded names. Of several that fit, the first is meant."""
    by_name: dict[str, list[Operator]] = {}
    for chapter in CHAPTERS.values():
        for operator in chapter:
            by_name.setdefault(folded(operator.name), []).append(operator)
    return {name: tuple(operators) for name, operators in by_name.items()}
