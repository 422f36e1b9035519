"""Continuity: telling by a tracked table's catalog entries whether some of its changes may have gone uncaptured.

When a table is captured, its marks are remembered. While the database shows the same marks, every change since has been
captured. A mark that is different, new or gone reveals something that fires no trigger.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

GapKind = Literal[
    "journal",
    "table",
    "part",
    "subscription",
    "unlogged",
    "column",
    "label",
    "field",
    "rewrite",
    "touch",
    "setting",
    "function",
    "trigger",
    "above",
    "cautious",
]


class CatalogMark(NamedTuple):
    """The compared value of a catalog entry, and its name for people."""

    value: str
    name: str


Marks = Mapping[str, Mapping[str, CatalogMark]]
"""Marks by kind, and by what distinguishes entries of one kind."""


@dataclass(frozen=True)
class CatalogState:
    """The current catalog entries of a tracked table. Two fingerprints are equal only if all marks are; `faults` are
    the reasons why changes are not captured as things stand, `limits` those that no installation can mend."""

    marks: Marks = field(default_factory=dict)
    fingerprint: str | None = None
    faults: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interruption:
    """Possibly missed changes of a tracked table, and why. `faults` are the reasons why they still may be missed."""

    table_id: int
    table: str
    reasons: tuple[str, ...]
    faults: tuple[str, ...] = ()
    everywhere: bool = False
    """True if nothing known of any table or cache is valid any more, as after a restore."""

    @property
    def why(self) -> str:
        return "; ".join(self.reasons)


class _Words(NamedTuple):
    """The meaning of a mark that is different, gone, or new. Empty if that is harmless."""

    other: str = ""
    gone: str = ""
    come: str = ""


_WORDS: Mapping[GapKind, _Words] = {
    "journal": _Words(other="the database was restored from a dump"),
    "table": _Words("was made again, or has another name or schema", "is gone or has another name", "is there again"),
    "part": _Words(gone="{} is no part of it any more", come="{} has become a part of it"),
    "subscription": _Words(come="{} is written by a subscription, which fires no trigger for statements"),
    "unlogged": _Words(other="{} is unlogged, so a crash of the database may have emptied it"),
    "column": _Words("column {} was made again or has another type", "column {} is gone", "column {} is there again"),
    "label": _Words(other="a value of the type {} has another name"),
    "field": _Words("a field of the type {} is another one", come="the type {} has one more field"),
    "function": _Words(other="what writes its changes down was replaced", gone="nothing writes its changes down"),
    "trigger": _Words(other="trigger {} was switched off or on, or made again", gone="trigger {} is missing"),
}  # fmt: skip


def is_restored(before: Marks, now: Marks) -> bool:
    """Return whether the journal is a different one from when the marks were remembered."""
    return "journal" in before and before["journal"] != now.get("journal")


def reasons(before: Marks, now: Marks) -> tuple[str, ...]:
    """Return the reasons why changes may have been missed between two looks; () if none were. Each cause is reported
    once: for a part that has gone, its triggers are not mentioned."""
    for kind in _WORDS:
        if differences := tuple(_differences(kind, before.get(kind, {}), now.get(kind, {}))):
            return differences
    return tuple(_rewritten(before, now))


def _differences(kind: GapKind, before: Mapping[str, CatalogMark], now: Mapping[str, CatalogMark]) -> Iterator[str]:
    words = _WORDS[kind]
    gone = [(words.gone, mark) for key, mark in before.items() if key not in now]
    other = [(words.other, mark) for key, mark in before.items() if key in now and now[key].value != mark.value]
    come = [(words.come, mark) for key, mark in now.items() if key not in before]
    return (said.format(mark.name) for said, mark in (*gone, *other, *come) if said)


def _rewritten(before: Marks, now: Marks) -> Iterator[str]:
    """Find columns that ALTER COLUMN … TYPE … USING rewrote, perhaps with the same type. It renews the column's row in
    the catalog, and the file of the table. One of these alone is harmless: VACUUM FULL, TRUNCATE; SET STATISTICS. But a
    row that is new and unchanged may have had another name, by which the triggers did not know the column."""
    touched = _changed(before, now, "touch")
    if _changed(before, now, "rewrite"):
        yield from (f"column {name} was written anew by ALTER TABLE" for name in touched)
    else:
        settings = _changed(before, now, "setting")
        yield from (f"column {name} may have had another name" for name in touched if name not in settings)


def _changed(before: Marks, now: Marks, kind: GapKind) -> list[str]:
    new = now.get(kind, {})
    return [mark.name for key, mark in before.get(kind, {}).items() if key in new and new[key].value != mark.value]
