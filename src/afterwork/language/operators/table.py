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
    "Numbers": numbers.ROWS,
    "Texts": (*strings.ROWS, *formats.ROWS),
    "Moments, dates and spans": (*timestamps.ROWS, *durations.ROWS),
    "Asking collections": collection_queries.ROWS,
    "With each element": iterators.ROWS,
    "Making collections": collection_operations.ROWS,
    "Values and objects": objects.ROWS,
    "Classes and changes": (*class_metadata.ROWS, *database_queries.ROWS, *classes.ROWS),
}
"""The operators as the reference lists them."""


@functools.cache
def table() -> Mapping[str, tuple[Operator, ...]]:
    """The operators by their folded names. Of several that fit, the first is meant."""
    found: dict[str, list[Operator]] = {}
    for rows in CHAPTERS.values():
        for operator in rows:
            found.setdefault(folded(operator.name), []).append(operator)
    return {name: tuple(operators) for name, operators in found.items()}
