"""How names are matched: without regard to case and underscores."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


def folded(name: str) -> str:
    """A name without what doesn't count in it."""
    return name.replace("_", "").lower()


def find(known: Mapping[str, Any], name: str) -> Any:
    """What goes by a name, or None: by the exact one, or else by the only one that differs in nothing that counts."""
    if name in known:
        return known[name]
    wanted = folded(name)
    found = [value for key, value in known.items() if folded(key) == wanted]
    return found[0] if len(found) == 1 else None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The three names that look most like one that is not known."""
    by_fold = {folded(one): one for one in known}
    return [by_fold[one] for one in difflib.get_close_matches(folded(name), by_fold, n=3, cutoff=0.6)]
