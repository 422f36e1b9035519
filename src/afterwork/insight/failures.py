"""Failures: runs of every kind that failed, in groups of the same work and the same trace."""

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from typing import Literal

from sqlalchemy import Connection, select

from afterwork.errors import BadRequest
from afterwork.events import SourceKind
from afterwork.insight import traces
from afterwork.store import history, once
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.history import RunRecord
from afterwork.store.tickets.columns import aware
from afterwork.store.tickets.filter import state_of
from afterwork.store.tickets.walk import TicketWalk

OF_EACH_WORK, OF_ONE_WORK = 20, 300
"""The most records that are read of each of many works, and of a single one."""

MAX_WORKS = 25
"""The most works whose failures are read at once."""

Hindrance = Literal["failed", "put off"]
"""The outcome of the runs of a group: they failed, or are tried again."""

NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True)
class FailedThing:
    """The ticket, object or action that failed runs of a group were about.

    `name` is that by which it is retried: a ticket's key, or a root. `is_open` says that it is still
    failed, and can be retried.
    """

    name: str
    root_id: str | None
    ticket: str | None
    times: int
    last: datetime
    is_open: bool


@dataclass(frozen=True)
class FailureGroup:
    """Recorded runs of one work that ended with the same trace, newest first.

    `error` is that of the newest; `id` identifies the group for as long as the code raises at the same place. With
    `has_more`, older records exist that were not read. `things` are what they were about, newest first.
    """

    id: str
    work: str
    source: SourceKind
    error: str
    runs: Sequence[RunRecord]
    things: Sequence[FailedThing]
    has_more: bool

    @property
    def count(self) -> int:
        return len(self.runs)

    @property
    def first(self) -> datetime:
        return self.runs[-1].ended

    @property
    def last(self) -> datetime:
        return self.runs[0].ended

    @property
    def trace(self) -> str | None:
        return self.runs[0].trace

    @property
    def open(self) -> Sequence[FailedThing]:
        return [thing for thing in self.things if thing.is_open]


@dataclass(frozen=True)
class FailureReader:
    """Reads failures, and what has become of the tickets, values and actions that they were about."""

    tickets: TicketWalk

    def groups(self, connection: Connection, work: str | None, outcome: Hindrance) -> list[FailureGroup]:
        """Return the groups of one work, or of those that failed last, newest first."""
        if work is not None:
            return self.of_works(connection, [work], outcome, OF_ONE_WORK)
        return self.of_works(connection, history.works_with(connection, outcome, MAX_WORKS), outcome)

    def group(self, connection: Connection, work: str, id: str, outcome: Hindrance) -> FailureGroup:
        """Return one group. Raises `BadRequest` if there is none any more."""
        for group in self.groups(connection, work, outcome):
            if group.id == id:
                return group
        raise BadRequest(f"There is no such group of failures of {work} any more.")

    def of_works(
        self, connection: Connection, works: Sequence[str], outcome: Hindrance, most: int = OF_EACH_WORK
    ) -> list[FailureGroup]:
        """Return the groups of the newest records of each of some works, at most so many records of each."""
        alike: dict[str, list[RunRecord]] = {}
        full: set[str] = set()
        for work in works:
            runs = history.records(connection, {"work": work, "outcome": outcome}, None, None, most)
            full |= {work} if len(runs) == most else set()
            for run in runs:
                alike.setdefault(group_id(run), []).append(run)
        still_failed = self._still_failed(connection, list(alike.values()))
        groups = [
            FailureGroup(
                id, runs[0].work, runs[0].source, runs[0].error or "", tuple(runs),
                tuple(_things(runs, still_failed)), runs[0].work in full,
            )
            for id, runs in alike.items()
        ]  # fmt: skip
        return sorted(groups, key=attrgetter("last"), reverse=True)

    def _still_failed(self, connection: Connection, groups: Sequence[Sequence[RunRecord]]) -> Set[tuple[str, str]]:
        """Return the works and names of what is still failed: tickets, values, and actions that run once.

        Matches of timers are not told: the next round finds again what the criteria still matches.
        """
        tickets: dict[str, str] = {}
        still_failed: set[tuple[str, str]] = set()
        for runs in groups:
            work, names = runs[0].work, {name_of(run) for run in runs}
            match runs[0].source:
                case "ticket":
                    tickets |= dict.fromkeys(names - {""}, work)
                case "cache" | "machine":
                    still_failed |= {(work, root) for root in self._failed_values(connection, work, names)}
                case "once":
                    still_failed |= {(work, name) for name in once.failed(connection, [work])}
                case "timer":
                    pass
        return still_failed | {(tickets[key], key) for key in self._failed_tickets(connection, tickets)}

    def _failed_values(self, connection: Connection, work: str, roots: Set[str]) -> Sequence[str]:
        failed = select(caches.c.root).join(derivations, derivations.c.id == caches.c.derivation)
        mine = derivations.c.name == work, caches.c.error.is_not(None), caches.c.root.in_(roots)
        return connection.execute(failed.where(*mine)).scalars().all()

    def _failed_tickets(self, connection: Connection, names: Iterable[str]) -> Set[str]:
        by_key = {self.tickets.key(name): name for name in names}
        rows = self.tickets.rows(connection, list(by_key)) if by_key else ()
        now = self.tickets.now
        states = {
            by_key[row.key]: state_of(row.done, row.error, aware(row.earliest), row.has_begun, now) for row in rows
        }
        return {name for name, state in states.items() if state in ("failed", "expired")}


def group_id(run: RunRecord) -> str:
    """Return what identifies the group of a run: its work, and the places in its trace.

    Without a trace, it is the error, in which numbers don't count: they tell one object from another.
    """
    frames = [" ".join(frame) for frame in traces.frames(run.trace or "")]
    error = (run.error or "").partition("\n")[0]
    places = [*frames, error.partition(":")[0]] if frames else [NUMBERS.sub("#", error)]
    return sha256("\n".join([run.work, run.source, *places]).encode()).hexdigest()[:12]


def name_of(run: RunRecord) -> str:
    """Return the name by which what a run was about is retried: its ticket, its work if that runs once, or its root."""
    match run.source:
        case "ticket":
            return run.ticket or ""
        case "once":
            return run.work
        case _:
            return run.root_id or ""


def _things(runs: Sequence[RunRecord], still_failed: Set[tuple[str, str]]) -> Iterator[FailedThing]:
    by_name = {name: list(own) for name, own in groupby(sorted(runs, key=name_of), key=name_of)}
    newest_first = sorted(by_name.items(), key=lambda item: item[1][0].ended, reverse=True)
    for name, own in newest_first:
        newest = max(own, key=attrgetter("ended"))
        yield FailedThing(
            name, newest.root_id, newest.ticket, len(own), newest.ended, (newest.work, name) in still_failed
        )
