"""Where runs are awaited: in the event loop of a server, or by the thread that has begun them."""

from queue import Empty, SimpleQueue
from typing import Any, Protocol

from sqlalchemy import Connection

from afterwork.events import Events, LoopBlocked
from afterwork.jobs.async_run import AsyncRun, Hands, Settling
from afterwork.jobs.attempts import Settled
from afterwork.jobs.loop_thread import LoopThread
from afterwork.jobs.progress import Errand
from afterwork.jobs.run import Run
from afterwork.store import progress

RunPlace = Any
"""The right to have one run awaited."""

ASK_SECONDS = 1.0
"""The interval at which async runs learn that somebody has asked them to stop."""


class AsyncRunner(Protocol):
    """Runs async works of lanes."""

    def places(self, lane: str, wanted: int) -> list[RunPlace]:
        """Return up to `wanted` places for runs of a lane. Each is used, or freed again."""

    def place(self, lane: str) -> RunPlace:
        """Return a place for a run that has to go on, since it was taken over."""

    def free(self, place: RunPlace) -> None:
        """Give a place back that was not used."""

    def begin(self, connection: Connection, run: AsyncRun, place: RunPlace, settle: Settling) -> Settled:
        """Have a run awaited, and settled at its end. Return its outcome, or [] if that comes later."""

    def may_begin_more(self, lane: str) -> bool:
        """Return whether a lane of which a run has begun may have room for another one."""


class Reports:
    """Reports works that block an event loop, each once."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._told: set[str] = set()

    def is_blocked(self, run: Run | None, seconds: float) -> None:
        work = "" if run is None else run.work
        if work not in self._told:
            self._told.add(work)
            self._events.emit(LoopBlocked(work, None if run is None else run.root_id, seconds))


def ask(connection: Connection, runs: dict[str, AsyncRun]) -> None:
    """Let those of the runs, by ticket, know that were asked to stop."""
    for ticket in progress.asked_to_stop(connection, list(runs)):
        runs[ticket].ask_to_stop()
    connection.commit()


class AsyncRunnerInPlace:
    """Runs one run after the other. The thread that waits does what the run needs a connection for."""

    def __init__(self, events: Events) -> None:
        self._reports = Reports(events)
        self._thread: LoopThread | None = None

    def places(self, lane: str, wanted: int) -> list[RunPlace]:
        return [None]

    def place(self, lane: str) -> RunPlace:
        return None

    def free(self, place: RunPlace) -> None:
        pass

    def begin(self, connection: Connection, run: AsyncRun, place: RunPlace, settle: Settling) -> Settled:
        errands: SimpleQueue[Errand | None] = SimpleQueue()
        self._thread = self._thread or LoopThread(self._reports.is_blocked, lambda: None)
        self._thread.start(run, Hands(errands.put, errands.put), lambda: errands.put(None))
        self._do(connection, run, errands)
        return settle(connection, run)

    def _do(self, connection: Connection, run: AsyncRun, errands: "SimpleQueue[Errand | None]") -> None:
        while True:
            try:
                errand = errands.get(timeout=ASK_SECONDS)
            except Empty:
                ask(connection, {run.ticket: run})
            else:
                if errand is None:
                    return
                errand(connection)

    def may_begin_more(self, lane: str) -> bool:
        return True

    def stop(self) -> None:
        if self._thread is not None:
            self._thread.stop()
