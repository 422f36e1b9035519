"""The server: it enters its database, serves until told to stop, and leaves in order."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from afterwork.errors import AfterworkError
from afterwork.events import Broken, Events, ServerStarted, ServerStopped, ServerStopping
from afterwork.jobs.runner import Runner
from afterwork.server.health import (
    ITERATION_SECONDS,
    Health,
    Prober,
    Pulse,
    Sign,
    listeners_sign,
    loop_sign,
    of_server,
    workers_sign,
)
from afterwork.server.history import HistoryKeeper
from afterwork.server.link import ServerConnection
from afterwork.server.loop import Loop
from afterwork.server.presence import Heartbeat
from afterwork.server.retirement import Retirement

MIN_HISTORY_STOP_SECONDS = 1.0
"""A server that stops waits at least this long for its history."""

PEACE_LOOK_SECONDS = 0.1
"""A server that leaves in peace checks at this interval whether somebody has told it to stop."""

LINGER_LOOK_SECONDS = 60.0
"""A server whose runs go on after its end checks at this interval, at least, whether they have ended."""


class Server:
    """One server on one database. `run` is its life; `stop` ends it from any thread."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._stopping, self._ready = threading.Event(), threading.Event()
        self._pulse = Pulse()
        self._link = ServerConnection(runner)
        self._prober = Prober(runner.database, self._link.wakes)
        self.leaving = Retirement(runner.settings, runner.history)
        self.earlier: Server | None = None
        """The server that this one has replaced in its process, whose runs may still go on."""
        self._loop = Loop(runner, self._link, self._pulse, self._stopping, self.leaving)

    def stop(self) -> None:
        """Begin no more jobs, let current runs end within the set time, and return from `run`."""
        self.leaving.is_told.set()
        self._stopping.set()
        self._link.wake()

    def loop_sign(self) -> Sign:
        return loop_sign(self._pulse)

    def health(self) -> Health:
        """Return whether the server lives and is ready, with reasons. From any thread; answers within some seconds."""
        workers = workers_sign(self._loop.scheduler.stuck(), self._runner.settings.held_limit.total_seconds())
        listeners = listeners_sign(self._runner.events.hanging())
        own = [workers, listeners]
        return of_server(self._pulse, self._ready.is_set(), self._stopping.is_set(), own, self._prober)

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until the server has entered its database. Return False if the time is over first."""
        return self._ready.wait(seconds)

    def run(self) -> int:
        """Serve until `stop`. Returns the number of runs that did not end within the set time.

        Raises `NotInstalled` or `WrongSchema` if the database is not as it must be.
        """
        try:
            return self._run() if self._loop.open() else 0
        finally:
            self._pulse.end()

    def _run(self) -> int:
        presence = self._link.presence
        heartbeat = Heartbeat(self._runner, presence, self._loop.lanes.runs)
        keeper = HistoryKeeper(self._runner, presence.id)
        self._runner.events.emit(ServerStarted(presence.id, str(self._runner.database)))
        self._ready.set()
        try:
            self._loop.serve()
        finally:
            self._runner.events.emit(ServerStopping(presence.id, self.leaving.why))
            self._link.stop()
            self._wait_in_peace()
            deadline = time.monotonic() + self._runner.settings.grace.total_seconds()
            unfinished = self._unfinished_at(deadline)
            keeper.stop(max(MIN_HISTORY_STOP_SECONDS, deadline - time.monotonic()))
            self._loop.workers.stop()
            if unfinished and not self.leaving.to_begin_anew:
                threading.Thread(target=self._linger, args=[heartbeat], name="afterwork-lingers", daemon=True).start()
            else:
                heartbeat.stop(max(0.0, deadline - time.monotonic()))
                self._link.leave()
            self._runner.events.emit(ServerStopped(presence.id, unfinished))
            self._runner.events.settle()
        earlier, self.earlier = self.earlier, None  # else each reload would keep all servers before it
        return unfinished + (0 if earlier is None else earlier._unfinished_at(deadline))

    def _unfinished_at(self, deadline: float) -> int:
        """Wait for runs to end. Return the number of those that have not, by the deadline."""
        return min(self._loop.workers.wait_until_idle(deadline - time.monotonic()), self._loop.scheduler.runs)

    def _linger(self, heartbeat: Heartbeat) -> None:
        """Keep the leases of runs that go on, as long as this process does: nobody else may begin them meanwhile."""
        self._link.rest()
        while self._loop.workers.wait_until_idle(LINGER_LOOK_SECONDS):
            pass
        heartbeat.stop(0.0)
        self._link.leave()

    def _wait_in_peace(self) -> None:
        """Let runs end, however long that takes, if the server was asked to leave after them."""
        while self.leaving.in_peace and not self.leaving.is_told.is_set():
            self._pulse.promise(ITERATION_SECONDS)
            if not self._loop.workers.wait_until_idle(PEACE_LOOK_SECONDS):
                return


FAREWELL_SECONDS = 5.0
"""The time that a server has to leave its database once its jobs have ended. A slower one is left behind."""


@contextmanager
def in_background(server: Server, grace: timedelta, events: Events) -> Iterator[None]:
    """Run a server while the block lasts. Raise its exception if it can't start or fails meanwhile."""
    failure: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="afterwork-server", daemon=True)
    thread.start()
    try:
        while not server.wait_until_ready(0.01) and thread.is_alive():
            pass
        if failure:
            raise failure[0]
        yield
    finally:
        server.stop()
        _wait_for(thread, grace, events)
    if failure:
        raise AfterworkError("The server in the background has failed.") from failure[0]


def _wait_for(thread: threading.Thread, grace: timedelta, events: Events) -> None:
    """Wait for a server that was told to stop, unless it waits forever for its database."""
    thread.join(grace.total_seconds() + FAREWELL_SECONDS)
    if thread.is_alive():
        events.emit(Broken("stopping the server", TimeoutError("The database does not answer.")))
