"""The server: it enters its database, serves until told to stop, and leaves in order."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from afterwork.errors import AfterworkError, AnotherDatabase
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
from afterwork.server.loop import Loop
from afterwork.server.presence import Heartbeat
from afterwork.server.recovery import FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS
from afterwork.server.retirement import Retirement
from afterwork.server.server_connection import ServerConnection
from afterwork.server.workers import VANISHED_SECONDS, Workers

MIN_HISTORY_STOP_SECONDS = 1.0
"""A server that stops waits at least this long for its history."""

PEACE_LOOK_SECONDS = 0.1
"""A server that leaves in peace checks at this interval whether somebody has told it to stop."""

LINGER_LOOK_SECONDS = 60.0
"""A server whose runs go on after its end checks at this interval, at least, whether they have ended."""


Renew = Callable[[AnotherDatabase], Runner]
"""Returns a runner for the database that has taken the place of another."""


class Server:
    """One server on one database. `run` is its life; `stop` ends it from any thread."""

    def __init__(self, runner: Runner, renew: Renew) -> None:
        self._renew = renew
        self._stopping, self._ready = threading.Event(), threading.Event()
        self._pulse = Pulse()
        self.leaving = Retirement(runner.settings)
        self.earlier: Server | None = None
        """The server that this one has replaced in its process, whose runs may still go on."""
        self._begin(runner)

    def _begin(self, runner: Runner) -> None:
        self._runner = runner
        self._link = ServerConnection(runner)
        self._prober = Prober(runner.database, self._link.wakes)
        self.leaving.count(runner.history)
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
            unfinished = self._run() if self._loop.open() else 0
            while self._loop.replaced is not None and self._begins_anew(self._loop.replaced):
                unfinished += self._run() if self._loop.open() else 0
            return unfinished
        finally:
            self._pulse.end()

    def _begins_anew(self, replaced: AnotherDatabase) -> bool:
        """Begin anew on the database that has taken the place of another, as soon as it is installed. Return False if
        told to stop first."""
        events, database = self._runner.events, self._runner.database
        pause = FIRST_RETRY_SECONDS
        while not self._stopping.is_set():
            try:
                self._begin(self._renew(replaced))
            except Exception as error:
                if not database.is_its_own(error):
                    events.emit(Broken("beginning anew", error))
            else:
                return True
            self._pulse.promise(pause + ITERATION_SECONDS)
            self._stopping.wait(pause)
            pause = min(pause * 2, MAX_RETRY_SECONDS)
        return False

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
            self._loop.async_runs.stop()
            if unfinished and not self.leaving.to_begin_anew:
                lingers = partial(_linger, self._link, self._loop.workers, heartbeat)
                threading.Thread(target=lingers, name="afterwork-lingers", daemon=True).start()
            else:
                heartbeat.stop(max(0.0, deadline - time.monotonic()))
                self._link.leave()
                if self._loop.replaced is not None:  # no connection to what was there before stays open
                    self._loop.workers.join(max(0.0, deadline - time.monotonic()))
            self._runner.events.emit(ServerStopped(presence.id, unfinished))
            self._runner.events.wait_until_received()
        earlier, self.earlier = self.earlier, None  # else each reload would keep all servers before it
        return unfinished + (0 if earlier is None else earlier._unfinished_at(deadline))

    def _unfinished_at(self, deadline: float) -> int:
        """Wait for runs to end. Return the number of those that have not, by the deadline."""
        while (left := deadline - time.monotonic()) > 0 and self._are_busy_after(min(left, VANISHED_SECONDS)):
            pass
        return min(self._loop.workers.wait_until_idle(0), self._loop.scheduler.runs)

    def _are_busy_after(self, seconds: float) -> bool:
        """Wait for runs to end, and see to threads that were lost meanwhile, of which nobody else would tell."""
        is_busy = bool(self._loop.workers.wait_until_idle(seconds))
        if is_busy:
            self._loop.see_losses()
        return is_busy

    def _wait_in_peace(self) -> None:
        """Let runs end, however long that takes, if the server was asked to leave after them."""
        while self.leaving.in_peace and not self.leaving.is_told.is_set():
            self._pulse.promise(ITERATION_SECONDS)
            if not self._are_busy_after(PEACE_LOOK_SECONDS):
                return


def _linger(link: ServerConnection, workers: Workers, heartbeat: Heartbeat) -> None:
    """Keep the leases of runs that go on, as long as this process does: nobody else may begin them meanwhile."""
    link.rest()
    while workers.wait_until_idle(LINGER_LOOK_SECONDS):
        pass
    heartbeat.stop(0.0)
    link.leave()


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
