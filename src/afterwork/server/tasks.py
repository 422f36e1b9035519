"""What the workers of a server do in their turns."""

import threading
from collections.abc import Collection
from functools import partial

from sqlalchemy import Connection

from afterwork.jobs.batch import BatchSize, Done
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import CACHES, ONCE, TIMERS
from afterwork.server.assignment import Assignment
from afterwork.server.drain import Drainer
from afterwork.server.lanes import KnownLanes
from afterwork.server.link import ServerConnection
from afterwork.server.prune import Sweep
from afterwork.server.scheduler import Scheduler
from afterwork.server.shared_transactions import SharedTransactions
from afterwork.server.workers import Task
from afterwork.store import leases
from afterwork.store.leases import Lease


class Tasks:
    """The tasks of one server. Each goes on until nothing is left, its turn is over, or the server stops."""

    def __init__(
        self, runner: Runner, link: ServerConnection, lanes: KnownLanes, scheduler: Scheduler, stopping: threading.Event
    ) -> None:
        self._runner = runner
        self._link = link
        self._lanes = lanes
        self._scheduler = scheduler
        self._stopping = stopping
        self._sizes: dict[str, BatchSize] = {}
        self._mixing = SharedTransactions(runner, self._sizes)
        self.most_with = self._mixing.most_with

    def of(self, turn: Assignment) -> Task:
        """Return the task of a turn."""
        match turn.kind:
            case "caches":
                task = self._refresh
            case "timers":
                task = self._fire
            case "once":
                task = self._upgrade
            case "sweep":
                task = self._sweep
            case _:
                task = self._drain if turn.lease is None else self._resume
        return partial(task, turn)

    def ended(self, turn: Assignment) -> None:
        """Let the loop know that a turn has ended, however it did."""
        if turn.lease is not None:
            self._lanes.hold(turn.lease, False)
        self._scheduler.end(turn)
        self._link.wake()

    def _ends(self, turn: Assignment) -> bool:
        """Return whether a turn ends here, between two transactions."""
        return not self._scheduler.goes_on(turn) or self._stopping.is_set()

    def _gives_way(self) -> bool:
        """Return whether what has a worker of its own ends its turn, since the server stops, or begins nothing else
        meanwhile."""
        return self._stopping.is_set() or self._runner.quarantine.is_alone

    # Lanes.

    def _drain(self, turn: Assignment, connection: Connection) -> None:
        self._drain_some(turn, connection)
        while not self._stopping.is_set() and self._scheduler.takes_another(turn, self.most_with):
            self._drain_some(turn, connection)

    def _drain_some(self, turn: Assignment, connection: Connection) -> None:
        (self._drain_lane if len(turn.lanes) == 1 else self._drain_lanes)(turn, connection)

    def _drain_lane(self, turn: Assignment, connection: Connection) -> None:
        lane, priority = turn.lane, turn.lanes[turn.lane]
        self._lanes.ensure(connection, lane)
        ran = False
        try:
            for batched in self._drainer(turn).drain(connection, lane, priority):
                ran = ran or not (isinstance(batched, Done) and not batched.settled and not batched.more)
                if isinstance(batched, Done):
                    self._mixing.ran_alone(lane, batched.settled)
                if ran and self._lanes.limits.is_one_by_one(lane):
                    self._link.wake()  # there may be more, for another worker
                if self._ends(turn):
                    break
        finally:
            self._note(turn, connection, ran)

    def _drain_lanes(self, turn: Assignment, connection: Connection) -> None:
        """Run the first tickets of several lanes in one transaction."""
        lanes, found, left = turn.lanes, frozenset[str](), frozenset[str]()
        self._lanes.ensure(connection, *lanes)
        try:
            mixed = self._mixing.run(connection, lanes)
            found, left = frozenset(mixed.found), frozenset(mixed.left)
            self._scheduler.give_back(turn, mixed.left)
        finally:
            for lane in found:
                self._lanes.obtained(lane)
            self._note_missed(connection, [lane for lane in lanes if lane not in found | left])

    def _note(self, turn: Assignment, connection: Connection, ran: bool) -> None:
        lane = turn.lane
        if ran:
            self._lanes.obtained(lane)
        elif not _is_gone(connection) and (turn.lanes[lane] is None or self._scheduler.waits_for_outside(lane)):
            pass  # nobody knew whether something is due, or it can't begin yet
        else:
            self._note_missed(connection, [lane])

    def _note_missed(self, connection: Connection, lanes: Collection[str]) -> None:
        """Take note of lanes in which there was nothing to be had."""
        if _is_gone(connection):
            for lane in lanes:
                self._lanes.is_elsewhere(lane)
            return
        # What was due at the last look may have been done since, by this server itself.
        due = self._runner.due(connection).lanes if lanes else {}
        still = [lane for lane in lanes if lane in due]
        if not still or leases.ensure_lanes(connection, still):
            return  # another server had forgotten one, since nobody used it
        for lane in still:
            self._lanes.is_elsewhere(lane)
        self._lanes.limits.refresh(connection)  # others may have declared rules for it
        self._lanes.paused |= leases.paused(connection) & set(still)

    def _resume(self, turn: Assignment, connection: Connection) -> None:
        assert turn.lease is not None
        turn.is_outside = True
        self._drainer(turn).resume(connection, turn.lease)

    def _drainer(self, turn: Assignment) -> Drainer:
        may_go_outside = partial(self._scheduler.may_go_outside, turn)
        return Drainer(self._runner, self._link.presence.id, self._lanes.hold, may_go_outside, self._sizes)

    # What stands beside lanes.

    def _refresh(self, turn: Assignment, connection: Connection) -> None:
        assert self._runner.refresher is not None
        ran = False
        try:
            for settled in self._runner.refresher.refresh(connection, self._link.presence.id, self._lanes.claim):
                self._runner.report_runs(settled)
                ran = ran or bool(settled)
                self._scheduler.goes_on(turn)  # its worker is for it alone
                if self._gives_way():
                    break
        finally:
            if ran:
                self._lanes.obtained(CACHES)

    def _upgrade(self, turn: Assignment, connection: Connection) -> None:
        assert self._runner.upgrader is not None
        ran = False

        def holding(lease: Lease, begun: bool) -> None:
            turn.is_outside = begun
            self._lanes.hold(lease, begun)

        for upgraded in self._runner.upgrader.upgrade(connection, self._link.presence.id, holding):
            ran = True
            self._runner.report_runs(upgraded)
            self._scheduler.goes_on(turn)
            if self._stopping.is_set():
                break
        if ran:
            self._lanes.obtained(ONCE)
        else:
            self._lanes.is_elsewhere(ONCE)  # another server is at it

    def _fire(self, turn: Assignment, connection: Connection) -> None:
        assert self._runner.firer is not None
        fired = False
        for _ in self._runner.firer.fire(connection):
            fired = True
            self._scheduler.goes_on(turn)
            if self._gives_way():
                break
        if not fired:
            self._lanes.is_elsewhere(TIMERS)  # another server has just fired what was due

    def _sweep(self, turn: Assignment, connection: Connection) -> None:
        for _ in Sweep(self._runner).slices(connection):
            self._scheduler.goes_on(turn)
            if self._stopping.is_set():
                break


def _is_gone(connection: Connection) -> bool:
    """Return whether nothing can be asked by a connection any more. A job may have closed it, too."""
    return connection.invalidated or connection.closed
