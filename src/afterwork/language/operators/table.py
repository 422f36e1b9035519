"""All operators, by name."""

import functools
from collections.abc import Iterable, Mapping

from afterwork.language.operators import (
    class_metadata,
    classes,
    collection_operations,
    collection_queries,
    database_queries,
    durations,
    formats,
    iterators,
    numbers,
    objects,
    strings,
    timestamps,
)
from afterwork.language.syntax.spelling import folded
from afterwork.language.typed.operator import Operator

CHAPTERS: Mapping[str, Iterable[Operator]] = {
    "Numbers": numbers.OPERATORS,
    "Texts": (*strings.OPERATORS, *formats.OPERATORS),
    "Timestamps, dates and durations": (*timestamps.OPERATORS, *durations.OPERATORS),
    "Queries of collections": collection_queries.OPERATORS,
    "Iterators": iterators.OPERATORS,
    "Collections of collections": collection_operations.OPERATORS,
    "Values and objects": objects.OPERATORS,
    "Classes and changes": (*class_metadata.OPERATORS, *database_queries.OPERATORS, *classes.OPERATORS),
}
"""The operators in the order of the reference."""


@functools.cache
def table() -> Mapping[str, tuple[Operator, ...]]:
    """Return the operators by their folded names. Of several that fit, the first is meant."""
    by_name: dict[str, list[Operator]] = {}
    for rows in CHAPTERS.values():
        for operator in rows:
            by_name.setdefault(folded(operator.name), []).append(operator)
    return {name: tuple(operators) for name, operators in by_name.items()}
