"""Recovery: opening a server's connection, and opening it again after the database was lost."""

import threading
import time
from collections.abc import Callable

from afterwork.boundary import failure_of
from afterwork.events import Broken, DatabaseBack, DatabaseLost, InTheWay
from afterwork.jobs.outcome import text_of
from afterwork.jobs.runner import Runner
from afterwork.server.arrival import FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS
from afterwork.server.link import ServerConnection
from afterwork.server.liveness import ITERATION_SECONDS, Pulse
from afterwork.server.workers import Workers


class Recovery:
    """Brings one server's loop back after errors. `opening` opens the loop's connection."""

    def __init__(
        self,
        runner: Runner,
        link: ServerConnection,
        pulse: Pulse,
        stopping: threading.Event,
        opening: Callable[[], None],
    ) -> None:
        self._database, self._events = runner.database, runner.events
        self._lease_seconds = runner.settings.lease.total_seconds()
        self._link = link
        self._pulse = pulse
        self._stopping = stopping
        self._open = opening
        self._no_crashes_until = float("-inf")

    @property
    def can_tell_crashes(self) -> bool:
        """Return whether servers that are gone must have crashed. Soon after a loss of the database, they may have lost
        it, too, and be about to return."""
        return time.monotonic() >= self._no_crashes_until

    def open_first(self, workers: Workers) -> bool:
        """Open, waiting for the database and for others in the way. Return False if told to stop meanwhile."""
        while not self._stopping.is_set():
            try:
                self._open()
            except Exception as error:
                if self._database.is_lost(error):
                    self._events.emit(DatabaseLost(text_of(error)))
                    return self._come_back(workers)
                if not self._database.is_contended(error):
                    raise
                self._events.emit(InTheWay(text_of(error)))
            else:
                return True
        return False

    def recover(self, error: Exception, workers: Workers) -> None:
        """Let the loop continue after an error: soon if others were in the way, else with a new connection."""
        if self._database.is_contended(error):
            self._database.give_up(self._link.connection)  # its transaction takes no more statements
            self._events.emit(InTheWay(text_of(error)))
            self._stopping.wait(FIRST_RETRY_SECONDS)
            return
        if self._database.is_lost(error):
            self._events.emit(DatabaseLost(text_of(error)))
        else:
            self._events.emit(Broken("the server's loop", error))
        self._come_back(workers)

    def _come_back(self, workers: Workers) -> bool:
        """Wait for the database, and continue. Return False if told to stop meanwhile."""
        began = time.monotonic()
        self._no_crashes_until = began + self._lease_seconds
        if not self._open_again():
            return False
        workers.reconnect()
        self._events.emit(DatabaseBack(time.monotonic() - began))
        return True

    def _open_again(self) -> bool:
        """Wait silently until the database is back. Return False if told to stop meanwhile."""
        self._link.close()
        pause = FIRST_RETRY_SECONDS
        while not self._stopping.wait(pause):
            pause = min(pause * 2, MAX_RETRY_SECONDS)
            self._pulse.promise(pause + ITERATION_SECONDS)
            try:
                self._open()
            except BaseException as error:
                if not self._database.is_its_own(error):
                    self._events.emit(Broken("connecting again", failure_of(error)))
            else:
                return True
        return False
