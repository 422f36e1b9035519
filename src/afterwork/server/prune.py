"""Pruning: deleting receipts whose DeleteTime has passed, old history, and the rows of lanes that nobody uses."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select

from afterwork.events import Pruned
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Due, EndedRuns, OwnWork, Source, WorkerHandle
from afterwork.store import history, leases, periods, progress, tables

SLICE_SECONDS = 0.01
"""The approximate time of one transaction."""

MIN_ROWS, MAX_ROWS = 100, 10_000
"""The bounds of the rows that one transaction deletes."""

Delete = Callable[[Connection], int]
"""Deletes some rows, and returns their number."""


def prune(runner: Runner, connection: Connection) -> None:
    for _ in Pruning(runner).slices(connection):
        pass


PRUNE = OwnWork("prune", is_housekeeping=True)


class PruneSource(Source):
    """Prunes now and then. Other servers may do so at the same time."""

    own = PRUNE

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._next = float("-inf")

    def due(self, connection: Connection, now: datetime) -> Due:
        return Due({PRUNE: [0]} if time.monotonic() >= self._next else {})

    def work(self, connection: Connection, worker: WorkerHandle) -> Generator[EndedRuns]:
        self._next = time.monotonic() + self._runner.settings.prune_every.total_seconds()
        try:
            for _ in Pruning(self._runner).slices(connection):
                yield []
        except GeneratorExit:
            self._next = float("-inf")  # the turn was over before it was done
            raise


class Pruning:
    """Deletes in slices, each in its own transaction, so that nobody waits for long."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._rows = MIN_ROWS

    def slices(self, connection: Connection) -> Iterator[int]:
        """Delete everything whose time has passed. Yields the number of rows after each slice."""
        receipts = 0
        for delete in self._necessary(connection):
            for count in self._all(connection, delete):
                receipts += count if delete == self._receipts else 0
                yield count
        if receipts:
            self._runner.events.emit(Pruned(receipts))

    def _necessary(self, connection: Connection) -> Sequence[Delete]:
        """Return those deletions that have something to delete, by one statement."""
        source, now = self._runner.job_source, self._runner.clock.now()
        conditions: Mapping[Delete, ColumnElement[bool]] = {
            self._receipts: source.has_expired(now),
            self._progress: progress.has_expired(now),
            self._history: history.has_expired(now - self._runner.settings.history),
            self._hours: periods.have_expired(now - self._runner.settings.history),
            self._lanes: leases.any_unused(source.is_used(tables.lane.c.name)),
        }
        holds = connection.execute(select(*conditions.values())).one()
        connection.commit()
        return [delete for delete, has_some in zip(conditions, holds, strict=True) if has_some]

    def _all(self, connection: Connection, delete: Delete) -> Iterator[int]:
        while True:
            began = time.monotonic()
            with self._runner.database.transaction(connection):
                count = delete(connection)
            if not count:
                return
            self._adapt(time.monotonic() - began)
            yield count

    def _adapt(self, seconds: float) -> None:
        """Adapt the size of the next slice to the time of this one, by at most a factor of two."""
        factor = min(2.0, max(0.5, SLICE_SECONDS / max(seconds, SLICE_SECONDS / 2)))
        self._rows = int(min(MAX_ROWS, max(MIN_ROWS, self._rows * factor)))

    def _receipts(self, connection: Connection) -> int:
        return self._runner.job_source.prune(connection, self._runner.clock.now(), self._rows)

    def _lanes(self, connection: Connection) -> int:
        return leases.forget_lanes(connection, self._runner.job_source.is_used(tables.lane.c.name), self._rows)

    def _progress(self, connection: Connection) -> int:
        return progress.prune(connection, self._runner.clock.now(), self._rows)

    def _history(self, connection: Connection) -> int:
        before = self._runner.clock.now() - self._runner.settings.history
        return history.prune(connection, before, self._rows)

    def _hours(self, connection: Connection) -> int:
        return periods.prune_hours(connection, self._runner.clock.now() - self._runner.settings.history)
