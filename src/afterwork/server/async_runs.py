"""The runs of one server that are awaited in its event loop."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from afterwork.jobs.async_run import AsyncRun, Hands, Settling
from afterwork.jobs.attempts import Settled
from afterwork.jobs.loop_thread import LoopThread
from afterwork.jobs.run import Superseded
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Assignment
from afterwork.server.async_runner import ASK_SECONDS, Reports, ask
from afterwork.server.errands import Errands, nothing_else
from afterwork.server.lanes import KnownLanes
from afterwork.server.scheduler import Scheduler
from afterwork.server.workers import Workers

WRITERS = 2
"""Workers that settle runs, and write what they report, where several can write at a time."""


@dataclass(eq=False)
class _Going:
    """A run that goes on, its place, what settles it, and the loop in which it is awaited."""

    run: AsyncRun
    place: Assignment
    settle: Settling
    loop: LoopThread


class AsyncRuns:
    """Runs async works in one event loop, with a few workers for what needs a connection. `wake` wakes the server."""

    def __init__(
        self, runner: Runner, lanes: KnownLanes, scheduler: Scheduler, workers: Workers, wake: Callable[[], None]
    ) -> None:
        self._runner = runner
        self._lanes = lanes
        self._scheduler = scheduler
        self._workers = workers
        self._wake = wake
        self._reports = Reports(runner.events)
        self._writing = Errands(workers, 1 if runner.database.has_one_writer else WRITERS)
        self._reading = Errands(workers, runner.settings.workers)
        self._hands = Hands(self._reading.put, self._writing.put)
        self._lock = threading.Lock()
        self._going: set[_Going] = set()
        self._loop: LoopThread | None = None
        self._loops: list[LoopThread] = []
        """The loop, and those that it has replaced."""
        self._is_over = False
        self._ask_at, self._asks = 0.0, False

    def for_worker(self, assignment: Assignment) -> "AsyncRunsOfWorker":
        return AsyncRunsOfWorker(self, self._scheduler, assignment)

    def begin(self, run: AsyncRun, place: Assignment, settle: Settling) -> None:
        """Have a run awaited from now on. The thread of the loop holds its lease."""
        with self._lock:
            self._loop = self._loop or self._new_loop()
            going = _Going(run, place, settle, self._loop)
            self._going.add(going)
        self._workers.count(1)
        run.disown = partial(self._disown, going)
        self._start(going)

    def _start(self, going: _Going) -> None:
        self._lanes.hold(going.run.lease, True, going.loop.thread)
        going.loop.start(going.run, self._hands, partial(self._settle_soon, going))

    def _new_loop(self) -> LoopThread:
        loop = LoopThread(self._reports.is_blocked, self._looked)
        self._loops.append(loop)
        return loop

    def _looked(self) -> None:
        self._replace_if_blocked()
        self._ask_now_and_then()

    def _replace_if_blocked(self) -> None:
        """Begin no more runs in a loop that is blocked for so long that a worker would be replaced."""
        limit = self._runner.settings.held_limit.total_seconds()
        with self._lock:
            blocked = self._loop
            if blocked is None or not blocked.is_blocked_for(limit):
                return
            self._loop = self._new_loop()
            given_back = set(blocked.give_back())
            moved = [going for going in self._going if going.run in given_back]
        for going in moved:
            going.loop = self._loop
            self._start(going)
            self._lanes.hold(going.run.lease, False, blocked.thread)

    # The end of a run.

    def _settle_soon(self, going: _Going) -> None:
        if going.run.is_abandoned:
            run = going.run.call.run
            self._runner.report_runs([(run, Superseded())])
        else:
            self._writing.put(partial(self._settle, going), partial(self._end, going))

    def _settle(self, going: _Going, connection: Connection) -> None:
        lease = going.run.lease
        self._lanes.hold(lease, True)
        try:
            self._lanes.hold(lease, False, going.loop.thread)
            going.settle(connection, going.run)
        finally:
            self._lanes.hold(lease, False)

    def _disown(self, going: _Going) -> Callable[[], None]:
        reads_in = going.run.reads_in
        free_reader = nothing_else if reads_in is None else self._workers.disown(reads_in)

        def free() -> None:
            free_reader()
            self._lanes.hold(going.run.lease, False, going.loop.thread)
            self._end(going)

        return free

    def _end(self, going: _Going) -> None:
        with self._lock:
            if going not in self._going:
                return
            self._going.remove(going)
        gives_way = self._scheduler.gives_way(going.place)
        self._workers.count(-1)
        if gives_way:
            self._lanes.obtained(going.run.lease.lane)
            self._wake()
        self._stop_loop_if_over()

    # Requests to stop.

    def _ask_now_and_then(self) -> None:
        """Ask the database which runs shall stop, unless that was asked just now."""
        with self._lock:
            if self._asks or time.monotonic() < self._ask_at:
                return
            self._asks, self._ask_at = True, time.monotonic() + ASK_SECONDS
            runs = {going.run.ticket: going.run for going in self._going}
        self._writing.put(partial(ask, runs=runs), self._asked)

    def _asked(self) -> None:
        with self._lock:
            self._asks = False

    # The end of the server.

    def stop(self) -> None:
        """End the loop as soon as no run goes on any more."""
        with self._lock:
            self._is_over = True
        self._stop_loop_if_over()

    def _stop_loop_if_over(self) -> None:
        with self._lock:
            if not self._is_over or self._going:
                return
            loops, self._loops, self._loop = self._loops, [], None
        for loop in loops:
            loop.stop()


@dataclass(frozen=True)
class AsyncRunsOfWorker:
    """The runs that the worker of an assignment has awaited."""

    runs: AsyncRuns
    scheduler: Scheduler
    assignment: Assignment

    def places(self, lane: str, wanted: int) -> list[Assignment]:
        return self.scheduler.places(self.assignment, lane, wanted)

    def place(self, lane: str) -> Assignment:
        return self.scheduler.place(lane)

    def free(self, place: Assignment) -> None:
        self.scheduler.end(place)

    def begin(self, connection: Connection, run: AsyncRun, place: Assignment, settle: Settling) -> Settled:
        self.runs.begin(run, place, settle)
        return []

    def may_begin_more(self, lane: str) -> bool:
        return self.scheduler.has_slot(lane)
