"""The menu, and the counts beside its entries: what fails, waits or runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from afterwork.insight import Tally
from afterwork.store.bounded_count import Count


@dataclass(frozen=True)
class MenuEntry:
    """An entry of the menu. `key` opens it from the keyboard."""

    name: str
    path: str
    key: str


MENU = (
    MenuEntry("Overview", "/", "o"),
    MenuEntry("Failures", "/failures", "f"),
    MenuEntry("Tickets", "/tickets", "t"),
    MenuEntry("Works", "/works", "w"),
    MenuEntry("Timers", "/timers", "i"),
    MenuEntry("Caches", "/caches", "c"),
    MenuEntry("Graph", "/graph", "g"),
    MenuEntry("Machines", "/machines", "m"),
    MenuEntry("Lanes", "/lanes", "l"),
    MenuEntry("Model", "/model", "d"),
    MenuEntry("Check", "/check", "k"),
)


@dataclass(frozen=True)
class MenuCount:
    """A count beside an entry of the menu, with what it counts: `3`, `failed within an hour`."""

    count: Count
    what: str
    kind: Literal["bad", "warn", "plain"] = "plain"


def menu_counts(tally: Tally) -> Mapping[str, MenuCount]:
    """Return the counts by the paths of their entries. Where there is nothing, there is no count."""
    return dict(_counts(tally))


def _counts(tally: Tally) -> Iterator[tuple[str, MenuCount]]:
    if tally.failed:
        yield "/failures", MenuCount(Count(tally.failed), "failed within an hour", "bad")
    if tally.waiting.number:
        yield "/tickets", MenuCount(tally.waiting, "waiting")
    if tally.late:
        yield "/timers", MenuCount(Count(tally.late), "late", "warn")
    if tally.failed_values.number:
        yield "/caches", MenuCount(tally.failed_values, "failed", "bad")
    elif tally.stale.number:
        yield "/caches", MenuCount(tally.stale, "stale")
    if tally.running:
        yield "/lanes", MenuCount(Count(tally.running), "running")
