"""Answers to a name that nothing has: the names that there are, and the most similar of them."""

from collections.abc import Iterable

from afterwork.language.syntax.spelling import nearest

MAX_LISTED = 12
"""The most names that an answer lists."""

MAX_COMPARED = 100
"""Characters of a name that is compared at most: the cost grows with its length."""


def instead_of(name: str, known: Iterable[str], *, verb: str = "There are", listed_by: str = "") -> str:
    """Return the names that there are instead of an unknown one, as sentences that follow the problem.

    `listed_by` is the command that lists them: "lanes".
    """
    names = list(dict.fromkeys(known))
    more = f" and {len(names) - MAX_LISTED:,} more" if len(names) > MAX_LISTED else ""
    parts = [f"{verb}: {', '.join(names[:MAX_LISTED]) or 'none'}{more}.", meant(name, names)]
    if listed_by:
        database = "" if listed_by == "model" else " --database URL"
        parts.append(f"They are listed by: afterwork {listed_by} MODULE:APP{database}")
    return " ".join(filter(None, parts))


def meant(name: str, known: Iterable[str]) -> str:
    """Return the question whether a similar name was meant; "" if none is similar. The end of a name suffices."""
    if len(name) > MAX_COMPARED:
        return ""
    whole = {full: full for full in known}
    ends = {} if "." in name else {full.rpartition(".")[2]: full for full in whole}
    candidates = {**ends, **whole}
    near = dict.fromkeys(candidates[each] for each in nearest(name, candidates))
    return f"Did you mean {' or '.join(near)}?" if near else ""
