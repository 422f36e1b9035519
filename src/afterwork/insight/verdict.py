"""The verdict of the overview: whether all is well, in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from afterwork.insight.attention import Attention, in_words, one_or_many
from afterwork.store.bounded_count import Count

Light = Literal["green", "amber", "red"]

NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")


@dataclass(frozen=True)
class Verdict:
    """One sentence on the state of an installation, in its parts, and its colour.

    `since` is when the first of what is wrong began, in UTC, None if that is unknown.
    """

    light: Light
    what: str
    since: datetime | None
    waits: str

    def __str__(self) -> str:
        since = "" if self.since is None else f" since {self.since:%Y-%m-%d %H:%M} UTC"
        return f"{self.what}{since}; {self.waits}."


def verdict(needs: Sequence[Attention], due: Count, oldest: timedelta | None) -> Verdict:
    """Return the verdict on what needs attention, and on the tickets that are due, the first of them since `oldest`."""
    waits = "nothing waits"
    if oldest is not None and due.number:
        waits = f"{due} {one_or_many(due, 'ticket waits', 'tickets wait')}, the first for {in_words(oldest)}"
    alarms = [need for need in needs if need.level == "alarm"]
    warnings = [need for need in needs if need.level == "warning"]
    if alarms:
        return Verdict("red", _what(alarms, "are wrong"), _first(alarms), waits)
    if warnings:
        return Verdict("amber", _what(warnings, "need attention"), _first(warnings), waits)
    return Verdict("green", "All is well", None, waits)


def _what(needs: Sequence[Attention], many: str) -> str:
    if len(needs) == 1:
        kind, _, name = needs[0].about.partition(" ")
        return f"{name} fails" if kind == "work" else needs[0].what
    number = NUMBERS[len(needs)] if len(needs) < len(NUMBERS) else f"{len(needs):,}"
    are_failures = all(need.about.startswith(("work ", "once ")) for need in needs)
    return f"{number} things {'fail' if are_failures and many == 'are wrong' else many}"


def _first(needs: Sequence[Attention]) -> datetime | None:
    if len(needs) == 1 and not needs[0].about.startswith(("work ", "server", "once ")):
        return None  # it says so itself
    return min((need.since for need in needs if need.since is not None), default=None)
