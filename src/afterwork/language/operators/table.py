"""All operators, by name."""

import functools
from collections.abc import Iterable, Mapping

from afterwork.language.operator import Operator
from afterwork.language.operators import (
    asked,
    classes,
    collections,
    formats,
    loops,
    making,
    moments,
    numbers,
    objects,
    spans,
    strings,
    types,
)
from afterwork.language.spelling import folded

CHAPTERS: Mapping[str, Iterable[Operator]] = {
    "Numbers": numbers.ROWS,
    "Texts": (*strings.ROWS, *formats.ROWS),
    "Moments, dates and spans": (*moments.ROWS, *spans.ROWS),
    "Asking collections": collections.ROWS,
    "With each element": loops.ROWS,
    "Making collections": making.ROWS,
    "Values and objects": objects.ROWS,
    "Classes and changes": (*types.ROWS, *asked.ROWS, *classes.ROWS),
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
