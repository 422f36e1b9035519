"""The loop of a server: find due work, give it to workers, sleep until the next due time or signal."""

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from afterwork.boundary import failure_of
from afterwork.errors import AnotherDatabase
from afterwork.events import BeginsAnew, FellAsleep, HeldUp, InTheWay
from afterwork.jobs.run import text_of
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Assignment, Due, OwnWork, Source, WorkerHandle, Workload, due_of
from afterwork.model.lane import MAIN
from afterwork.server.async_runs import AsyncRuns
from afterwork.server.health import ITERATION_SECONDS, Pulse
from afterwork.server.lane_source import LANES, LaneSource
from afterwork.server.lanes import KnownLanes
from afterwork.server.losses import Losses
from afterwork.server.prune import PruneSource
from afterwork.server.recovery import Recovery
from afterwork.server.retirement import Retirement
from afterwork.server.scheduler import Scheduler
from afterwork.server.server_connection import ServerConnection
from afterwork.server.watch import LONG_AGO, Watch
from afterwork.server.workers import Workers

BUSY_LOOK_SECONDS = 0.01
"""While lanes are drained, the server looks for other work at least this often."""

LEFT_WORK_SECONDS = 60.0
"""A sleeping server that has left work to others checks at least this often whether they are still there."""

BLOCKED_FACTOR = 3
"""A look that others block is left out for this many times as long as a lane that others have."""

MIN_LOOK_AGE_SECONDS, MAX_LOOK_AGE_SECONDS = 0.03, 1.0
"""Bounds of the time for which the result of a look is reused, if enough is due."""

LOOK_AGE_FACTOR = 5
"""Within these bounds, a look is reused for this many times its own duration: with many lanes, it is slow."""

BRIEF_WORK_SECONDS = 0.03
"""A server that is done within this time neither tells writers that it is awake, nor looks for more meanwhile. An
inline recomputation calculates for up to `Settings.at_once`; taking and storing may add half of that."""


class Loop:
    """The loop of one server, with its workers. It asks each source for due work, and gives that to a worker."""

    def __init__(
        self, runner: Runner, link: ServerConnection, pulse: Pulse, stopping: threading.Event, leaving: Retirement
    ) -> None:
        self._runner, self._settings = runner, runner.settings
        self._link = link
        self._pulse = pulse
        self._stopping = stopping
        self._leaving = leaving
        self.lanes = KnownLanes(self._settings.standby_poll.total_seconds(), self._first(), runner.limits)
        self.scheduler = Scheduler(
            self._settings.workers,
            self._settings.held_limit.total_seconds(),
            self.lanes,
            is_alone=lambda: runner.quarantine.is_alone,
            async_runs=self._settings.async_runs,
        )
        self._losses = Losses(runner, link, self.lanes)
        self.workers = Workers(self._settings.workers, runner.database, self._losses.note)
        self.async_runs = AsyncRuns(runner, self.lanes, self.scheduler, self.workers, link.wake)
        self._lane_source = LaneSource(runner, link, self.lanes, self.scheduler, stopping, self.async_runs)
        self._sources: Sequence[Source] = (*runner.sources, self._lane_source, PruneSource(runner))
        runner.time_limits.timeouts.disown = self.workers.disown
        runner.blocked.pause = BLOCKED_FACTOR * self._settings.standby_poll
        self._recovery = Recovery(runner, link, self._losses, pulse, stopping, self._open)
        self._watch = Watch(runner, link, self.lanes, self._recovery, leaving)
        self._due = Due()
        self._look_again_at = LONG_AGO
        self._is_asleep = self._was_woken = False
        self.replaced: AnotherDatabase | None = None
        """The reason why this loop has ended, if another database has taken the place of its own."""

    def _first(self) -> Workload:
        """Return the first workload to try on waking: exclusive work if a source has any, else `main`."""
        return next((source.own for source in self._runner.sources if source.own.is_exclusive), MAIN)

    def open(self) -> bool:
        """Open the server's connection as soon as possible. Return False if told to stop first.

        Raises `NotInstalled` or `WrongSchema` if the database is not as it must be.
        """
        try:
            return self._recovery.open_first(self.workers)
        except AnotherDatabase as replaced:
            self._end(replaced)
            return False

    def _open(self) -> None:
        self._link.open()
        self._runner.quarantine.enter(self._link.presence.id, self.lanes.hold)
        self._watch.for_crashes(self._link.connection)
        self._watch.soon()
        self._look_again_at, self._is_asleep = LONG_AGO, False

    def serve(self) -> None:
        """Look, start and wait until the server must stop, or another database has taken the place of its own."""
        try:
            while not self._stopping.is_set():
                self._go_round()
        except AnotherDatabase as replaced:
            self._end(replaced)

    def _end(self, replaced: AnotherDatabase) -> None:
        self.replaced = replaced
        self._runner.events.emit(BeginsAnew(replaced.what))

    def see_losses(self) -> None:
        """Let go of what lost threads have, while the server waits for the others. It can't do that without its
        database."""
        try:
            self._losses.see(self._link.connection, self.workers)
        except Exception as error:
            self._runner.events.emit(InTheWay(text_of(error)))

    def _go_round(self) -> None:
        try:
            self._iterate(self._link.connection)
        except AnotherDatabase:
            raise
        except BaseException as error:
            self._recovery.recover(failure_of(error), self.workers)

    def _iterate(self, connection: Connection) -> None:
        self._pulse.promise(ITERATION_SECONDS)
        self._runner.database.check_in_place(connection)
        if self._losses.see(connection, self.workers):
            self._watch.soon()
        if self._leaving.has_had_enough():
            self._stopping.set()
            return
        if self._was_woken:
            self._try_recent()
        # Before the first worker begins: to write to a file, this thread would wait for its workers' transactions.
        self._watch.check(connection, self._sources)
        self._report_held()
        looks = not self.scheduler.is_waiting or time.monotonic() >= self._look_again_at
        if looks:
            self._look(connection)
        if self._start() or self.scheduler.is_busy:
            self._watch_others(connection)
            self._wait_for_workers()
        elif looks:
            self._sleep(connection)
        else:
            self._look_again_at = LONG_AGO

    def _try_recent(self) -> None:
        """Try the workload that had work most recently: new work is mostly for that, so no look may be needed."""
        self._was_woken = False
        if self.scheduler.is_busy:
            return  # a busy loop looks all the time
        assignment = self.scheduler.begin(self.lanes.recent)
        if assignment is not None:
            self._give(assignment)
            self._link.waker.wait(BRIEF_WORK_SECONDS)

    def _look(self, connection: Connection) -> None:
        began, now = time.monotonic(), self._runner.clock.now()
        self._due = due_of(self._sources, partial(self._ask, connection, now), self.scheduler.is_busy_with)
        took = time.monotonic() - began
        age = min(MAX_LOOK_AGE_SECONDS, max(MIN_LOOK_AGE_SECONDS, LOOK_AGE_FACTOR * took))
        self._look_again_at = began + age
        self.scheduler.saw(self._due.workloads)

    def _ask(self, connection: Connection, now: datetime, source: Source) -> Due:
        """Return what is due of a source. If its tables are locked, the others go on, except beside exclusive work."""
        look = partial(source.due, connection, now)
        if source.own.is_exclusive:
            return look()
        blocked = self._runner.blocked
        return blocked.unless_blocked(source.own.source, connection, look, Due({}, blocked.again_at(now)))

    def _start(self) -> bool:
        """Give waiting work to workers while some are free for it. Return whether any was given."""
        started = False
        while (assignment := self.scheduler.next(self._lane_source.most_with)) is not None:
            self._give(assignment)
            started = True
        return started

    def _give(self, assignment: Assignment) -> None:
        own = assignment.kind if isinstance(assignment.kind, OwnWork) else LANES
        (source,) = (source for source in self._sources if source.own == own)
        self.workers.start(
            partial(self._work, source, assignment), partial(self._ended, assignment), lambda: assignment.lanes
        )

    def _report_held(self) -> None:
        for assignment in self.scheduler.newly_held_up():
            names = [work if isinstance(work, str) else work.source for work in assignment.workloads]
            self._runner.events.emit(HeldUp(names, self._settings.held_limit.total_seconds()))

    def _watch_others(self, connection: Connection) -> float | None:
        """Watch other servers, and resume adopted runs. Return the seconds after which to watch again."""
        watch_again_in = self._watch.watch(connection, self._sources)
        if self._leaving.in_peace:
            self._stopping.set()
        if self.scheduler.has_leases:
            self._start()
        return watch_again_in

    def _wait_for_workers(self) -> None:
        if not self._is_asleep:
            self._wait(BUSY_LOOK_SECONDS)
            return
        began = time.monotonic()
        self._wait(BRIEF_WORK_SECONDS)
        if self.scheduler.is_busy and time.monotonic() - began >= BRIEF_WORK_SECONDS:
            self._disarm()

    def _sleep(self, connection: Connection) -> None:
        standby = self.lanes.standby(self._due.workloads)
        if not self._due.workloads and self.scheduler.is_quiet:
            self._runner.quarantine.end()
        watch_again_in = self._watch_others(connection)
        if standby is not None:
            # Another server has the due work and will find more; no writer needs to wake this one.
            self._disarm()
            self._wait(standby)
        elif self._is_asleep:
            self._wait(self._longest_sleep() if watch_again_in is None else watch_again_in)
        else:
            self._fall_asleep()

    def _longest_sleep(self) -> float:
        """Return the seconds for which to sleep at most. Servers to which work was left may be gone by then."""
        seconds = self._settings.safety_poll.total_seconds()
        return min(seconds, LEFT_WORK_SECONDS) if self._runner.job_source.leaves_work else seconds

    def _fall_asleep(self) -> None:
        """Ask writers to wake this server. The next look finds what they saved before they knew that it sleeps."""
        limit = self._link.waker.arm()
        self._is_asleep = limit >= self._settings.safety_poll.total_seconds()
        self._look_again_at = LONG_AGO
        if self._is_asleep:
            self._runner.events.emit(FellAsleep(self._link.presence.id))
        else:
            self._wait(limit)

    def _disarm(self) -> None:
        if self._is_asleep:
            self._is_asleep = False
            self._link.waker.disarm()

    def _wait(self, seconds: float) -> None:
        if self._stopping.is_set():
            return  # an earlier wait of this iteration may have used up the signal that would wake this one
        seconds = min(seconds, self._until_due(), self._watch.until_check())
        until_held_up = self.scheduler.until_held_up()
        if until_held_up is not None:
            seconds = min(seconds, until_held_up)
        self._pulse.promise(seconds + ITERATION_SECONDS)
        if self.workers.wait(seconds, self._link.waker.wait) == "new work":
            self._was_woken = True
            self.lanes.news()

    def _until_due(self) -> float:
        """Return the seconds until something will be due; infinite if nothing is known to be."""
        if self._due.next_due is None:
            return float("inf")
        return max(0.0, (self._due.next_due - self._runner.clock.now()).total_seconds())

    # On the threads of workers.

    def _work(self, source: Source, assignment: Assignment, connection: Connection) -> None:
        """Work for a source until nothing is left, the assignment is over, or the server stops."""
        worker = WorkerHandle(self._link.presence.id, assignment, self.lanes.hold, self.lanes.claim)
        had_work = ran_something = False
        try:
            with closing(source.work(connection, worker)) as steps:
                for ran in steps:
                    had_work, ran_something = True, ran_something or bool(ran)
                    self._runner.report_runs(ran)
                    if not self.scheduler.goes_on(assignment) or self._stopping.is_set() or self.replaced is not None:
                        break
        except BaseException as error:
            if not self._runner.database.is_its_own(self._runner.database.loss(connection, error)):
                for workload in assignment.workloads:
                    self.lanes.note_elsewhere(workload)  # it would fail again at once
            raise
        finally:
            if ran_something:
                self.lanes.obtained(source.own)
        if not had_work:
            self.lanes.note_elsewhere(source.own)

    def _ended(self, assignment: Assignment) -> None:
        if assignment.lease is not None:
            self.lanes.hold(assignment.lease, False)
        self.scheduler.end(assignment)
        self._link.wake()
