"""The explanation of a value: the state of its cache, what its last run read, and what made it run."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from afterwork.derived.cause import Cause, read_cause
from afterwork.derived.explain.transitions import PossibleTransition
from afterwork.derived.queue.due_cache import shown_due
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues

CacheState = Literal["fresh", "stale", "running", "failed", "never run"]

ASIDE = "it could not be made right together with others"
"""The reason why a value runs alone whose derivation is refreshed in sets."""


@dataclass(frozen=True)
class ReadGroup:
    """Reads of one kind: what was read, and their number."""

    what: str
    count: int


@dataclass(frozen=True)
class CacheLine:
    """The state of one cache of one object. No run is kept of a value in sets."""

    root_id: str
    """The external id of the object."""
    state: CacheState
    """Its state: "fresh", "stale", "running", "failed" or "never run"."""
    runs: int
    """The number of its runs."""
    computed: datetime | None
    """The time of its last run."""
    took: float | None
    """The seconds that its last run took."""
    because: Cause | None
    """The cause of its last run, or of its last change."""
    stale: Cause | None
    """The cause for which it is to run again."""
    due: datetime | None
    """The time from which on it is to run again."""
    error: str | None
    """The error of its last run."""
    changed: datetime | None
    """The time at which a value in sets was last written, if that is kept."""


STANDING = (*caches.c, dues.c.due, dues.c.since, dues.c.claim, dues.c.cause.label("stale_cause"))
"""The columns of a cache, and of its entry in the queue, that make up its state."""


def state_in(row: Any) -> CacheState:
    """Return the state of a cache from its own row and its entry in the queue."""
    if row.claim is not None:
        return "running"
    if row.error is not None:
        return "failed"
    if row.computed is None:
        return "never run"
    return "stale" if row.since is not None else "fresh"


def line_of(row: Any) -> CacheLine:
    """Return the state of a cache from its `STANDING` columns."""
    return CacheLine(
        row.root,
        state_in(row),
        row.runs,
        row.computed,
        row.took,
        read_cause(row.cause),
        read_cause(row.stale_cause),
        shown_due(row.due),
        row.error,
        None,
    )


@dataclass(frozen=True)
class Explanation(CacheLine):
    """All that is known of one cache of one object. As a text, it is the sentences of `afterwork explain`."""

    name: str
    """The name of the derived member or view model, as `Class.member`."""
    reads: tuple[ReadGroup, ...]
    """The kinds of what it read, each with their number."""
    stands_in: str | None = None
    """The state in which a machine is."""
    steps: tuple[PossibleTransition, ...] = ()
    """The steps that a machine would take by itself, each with what is missing."""
    is_in_sets: bool = False
    """True: its query alone keeps it right, many objects by one statement."""
    is_at_commit: bool = False
    """True: the transaction that changes what it is made of computes it."""
    why_not_in_sets: str | None = None
    """The reason why an expression can't be turned round; None if it can, or if there is none."""
    is_behind: bool = False
    """True: too many changes wait to tell whether it is still fresh."""

    def __str__(self) -> str:
        lines = [f"{self.name} of {self.root_id} is {self.state}."]
        if self.stands_in is not None:
            lines.append(f"  It stands in {self.stands_in}.")
        lines += [f"  {line}" for line in (*map(str, self.steps), *self._past, *self.way)]
        verb = "reads" if self.is_in_sets else "read"
        lines += [f"  It {verb} {group.count:,} × {group.what}" for group in self.reads]
        return "\n".join(lines)

    @property
    def _past(self) -> Iterator[str]:
        """The sentences on what made it stale, and on its last run."""
        if self.stale is not None:
            yield f"It is to run {f'at {_utc(self.due)} ' if self.state == 'fresh' else ''}because {self.stale}."
        elif self.state == "never run" and self.due is None:
            yield "No server has come to it yet."
        if self.is_behind:
            yield "Very many changes wait to be matched, so it may be stale. See: afterwork status"
        if self.computed is not None and self.runs:
            times = "once" if self.runs == 1 else f"{self.runs:,} times, last"
            yield f"It has run {times} at {_utc(self.computed)}, for {(self.took or 0) * 1000:.1f} ms."
            yield f"It ran because {self.because}."
        if self.changed is not None:
            yield f"It last changed at {_utc(self.changed)}, because {self.because}."
        if self.error is not None and self.state == "stale":
            yield f"It can't be calculated as things are: {self.error}"
        elif self.error is not None:
            yield f"It failed: {self.error}"
            again = "" if self.due is None else f" at {_utc(self.due)}, or"
            yield f"It is tried again{again} when something that it read changes."

    @property
    def way(self) -> Iterator[str]:
        """The sentence on the way in which it is kept right, if there is anything to say."""
        if self.is_at_commit:
            yield "It is computed at commit, by the transaction that changes what it is made of."
        elif self.is_in_sets:
            yield "It is refreshed in sets: its query leads from each change to the objects that it touches."
        if self.why_not_in_sets is not None:
            yield f"It is not refreshed in sets, since {self.why_not_in_sets}."


def _utc(moment: datetime | None) -> str:
    """Return a timestamp for a sentence, to the second."""
    return "an unknown time" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
