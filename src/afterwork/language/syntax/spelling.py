"""Matches names without regard to case and underscores."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

Value = TypeVar("Value")


def folded(name: str) -> str:
    """Return a name without what doesn't count in it: case and underscores."""
    return name.replace("_", "").lower()


def find(known: Mapping[str, Value], name: str) -> Value | None:
    """Return the value that a name means; None if there is none.

    An exact key goes first; else a key matches that is the only one to differ in nothing that counts.
    """
    if name in known:
        return known[name]
    folded_name = folded(name)
    matching = [value for key, value in known.items() if folded(key) == folded_name]
    return matching[0] if len(matching) == 1 else None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that look most like an unknown one."""
    by_fold = {folded(other): other for other in known}
    return [by_fold[match] for match in difflib.get_close_matches(folded(name), by_fold, n=3, cutoff=0.6)]
