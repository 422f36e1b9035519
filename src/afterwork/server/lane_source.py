"""The jobs of lanes as a source: workers drain lanes, alone or several per transaction, and take over runs."""

import threading
from collections.abc import Collection, Generator, Mapping
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from afterwork.jobs.batch import BatchSize, CommittedBatch
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Assignment, Due, EndedRuns, OwnWork, Peers, Source, WorkerHandle
from afterwork.server.async_runs import AsyncRuns
from afterwork.server.drain import Drainer
from afterwork.server.lanes import KnownLanes
from afterwork.server.scheduler import Scheduler
from afterwork.server.server_connection import ServerConnection
from afterwork.server.shared_transactions import SharedTransactions
from afterwork.store import leases

LANES = OwnWork("lanes")
"""Only identifies this source: its work waits under the names of lanes."""


class LaneSource(Source):
    """The jobs that tickets and timers start, which run in the lanes of one server."""

    own = LANES

    def __init__(
        self,
        runner: Runner,
        link: ServerConnection,
        lanes: KnownLanes,
        scheduler: Scheduler,
        stopping: threading.Event,
        async_runs: AsyncRuns,
    ) -> None:
        self._runner = runner
        self._link = link
        self._lanes = lanes
        self._scheduler = scheduler
        self._stopping = stopping
        self._async_runs = async_runs
        self._sizes: dict[str, BatchSize] = {}
        self._mixing = SharedTransactions(runner, self._sizes)
        self.most_with = self._mixing.most_with

    def due(self, connection: Connection, now: datetime) -> Due:
        if self._lanes.paused:
            self._lanes.paused &= leases.paused(connection)
        due = self._runner.due_in_lanes(connection, now)
        self._lanes.ensure(connection, *(lane for lane in due.workloads if isinstance(lane, str)))
        return due

    def work(self, connection: Connection, worker: WorkerHandle) -> Generator[EndedRuns]:
        """Drain lanes, or resume a run that was taken over. Yields nothing to report: each run is reported at once."""
        assignment = worker.assignment
        if assignment.lease is not None:
            assignment.is_external = True
            self._drainer(worker).resume(connection, assignment.lease)
            yield []
            return
        yield from self._drain(connection, worker)
        while not self._stopping.is_set() and self._scheduler.takes_another(assignment, self.most_with):
            yield from self._drain(connection, worker)

    def adopt(self, connection: Connection, peers: Peers) -> bool:
        """Take over the leases of servers that are gone; in quarantine, one at a time."""
        if not leases.any_beside(connection, self._lanes.runs()):
            return False
        limit = int(not self._scheduler.has_leases) if self._runner.quarantine.is_alone else None
        takes = partial(self._runner.takes, connection)
        for lease in self._link.presence.adopt_orphans(connection, self._lanes.runs, limit, takes):
            self._lanes.hold(lease, True)
            self._scheduler.add(lease)
        return True

    # Draining.

    def _drain(self, connection: Connection, worker: WorkerHandle) -> Generator[EndedRuns]:
        lanes = worker.assignment.lanes
        self._lanes.ensure(connection, *lanes)
        if len(lanes) > 1:
            self._drain_mixed(connection, worker.assignment, lanes)
            yield []
        else:
            for lane, priority in lanes.items():
                yield from self._drain_one(connection, worker, lane, priority)

    def _drain_one(
        self, connection: Connection, worker: WorkerHandle, lane: str, priority: int | None
    ) -> Generator[EndedRuns]:
        ran = False
        try:
            for batched in self._drainer(worker).drain(connection, lane, priority):
                ran = ran or not (isinstance(batched, CommittedBatch) and batched.did_nothing)
                if isinstance(batched, CommittedBatch):
                    self._mixing.ran_alone(lane, batched.settled)
                if ran and self._lanes.limits.claims_singly(lane):
                    self._link.wake()  # the lane may have more, for another worker
                yield []
        finally:
            if ran:
                self._lanes.obtained(lane)
            else:
                self._note_nothing_ran(connection, lane, priority)

    def _drain_mixed(self, connection: Connection, assignment: Assignment, lanes: Mapping[str, int | None]) -> None:
        """Run the first tickets of several lanes in one transaction."""
        obtained, left = frozenset[str](), frozenset[str]()
        try:
            mixed = self._mixing.run(connection, lanes)
            obtained, left = frozenset(mixed.obtained), frozenset(mixed.left)
            self._scheduler.give_back(assignment, mixed.left)
        finally:
            for lane in obtained:
                self._lanes.obtained(lane)
            self._note_missed(connection, [lane for lane in lanes if lane not in obtained | left])

    def _note_nothing_ran(self, connection: Connection, lane: str, priority: int | None) -> None:
        """Note that a lane is elsewhere.

        It is not noted if this assignment was a guess, or if the first ticket waits for an external worker.
        """
        if _is_gone(connection) or not (priority is None or self._scheduler.waits_to_run_externally(lane)):
            self._note_missed(connection, [lane])

    def _note_missed(self, connection: Connection, lanes: Collection[str]) -> None:
        """Note lanes that another server has."""
        if _is_gone(connection):
            for lane in lanes:
                self._lanes.note_elsewhere(lane)
            return
        # This server itself may have run since then what the last look found due.
        due = self.due(connection, self._runner.clock.now()).workloads if lanes else {}
        still_due = [lane for lane in lanes if lane in due]
        if not still_due or leases.ensure_lanes(connection, still_due):
            return  # another server had forgotten one, since nobody used it
        for lane in still_due:
            self._lanes.note_elsewhere(lane)
        self._lanes.limits.refresh(connection)  # others may have declared rules for it
        self._lanes.paused |= leases.paused(connection) & set(still_due)

    def _drainer(self, worker: WorkerHandle) -> Drainer:
        may_run_externally = partial(self._scheduler.may_run_externally, worker.assignment)
        loop = self._async_runs.for_worker(worker.assignment)
        return Drainer(self._runner, worker.server, worker.hold, may_run_externally, loop, self._sizes)


def _is_gone(connection: Connection) -> bool:
    """Return whether a connection takes no more statements. A job may have closed it."""
    return connection.invalidated or connection.closed
