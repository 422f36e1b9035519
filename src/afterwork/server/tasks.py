"""The tasks of a server's workers: each works for the source of its assignment until its turn is over."""

import threading
from collections.abc import Sequence
from contextlib import closing
from functools import partial

from sqlalchemy import Connection

from afterwork.jobs.assignment import Assignment, OwnWork, WorkerHandle
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Source
from afterwork.server.lane_source import LANES
from afterwork.server.lanes import KnownLanes
from afterwork.server.link import ServerConnection
from afterwork.server.scheduler import Scheduler
from afterwork.server.workers import Task


class Tasks:
    """The tasks of one server. Each ends when nothing is left, its turn is over, or the server stops."""

    def __init__(
        self, runner: Runner, link: ServerConnection, lanes: KnownLanes, scheduler: Scheduler, stopping: threading.Event
    ) -> None:
        self._runner = runner
        self._link = link
        self._lanes = lanes
        self._scheduler = scheduler
        self._stopping = stopping

    def of(self, turn: Assignment, sources: Sequence[Source]) -> Task:
        """Return the task of a turn."""
        own = turn.kind if isinstance(turn.kind, OwnWork) else LANES
        (source,) = (source for source in sources if source.own == own)
        return partial(self._work, source, turn)

    def ended(self, turn: Assignment) -> None:
        """Tell the loop that a turn has ended in any way."""
        if turn.lease is not None:
            self._lanes.hold(turn.lease, False)
        self._scheduler.end(turn)
        self._link.wake()

    def _work(self, source: Source, turn: Assignment, connection: Connection) -> None:
        worker = WorkerHandle(self._link.presence.id, turn, self._lanes.hold, self._lanes.claim)
        had_work = ran_something = False
        try:
            with closing(source.work(connection, worker)) as steps:
                for ran in steps:
                    had_work, ran_something = True, ran_something or bool(ran)
                    self._runner.report_runs(ran)
                    if not self._scheduler.goes_on(turn) or self._stopping.is_set():
                        break
        finally:
            if ran_something:
                self._lanes.obtained(source.own)
        if not had_work:
            self._lanes.note_elsewhere(source.own)
