"""Writing the history of a server from time to time."""

import threading

from sqlalchemy import Connection

from afterwork.boundary import failure_of
from afterwork.events import Broken
from afterwork.jobs.runner import Runner

WRITE_SECONDS = 10.0
"""The time between two writes, while something runs."""


class HistoryKeeper:
    def __init__(self, runner: Runner, server: int, every: float = WRITE_SECONDS) -> None:
        self._runner = runner
        self._server = server
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="afterwork-history", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Write the rest and end the thread. Wait for it at most this long."""
        self._stop.set()
        self._thread.join(seconds)

    def _keep(self) -> None:
        connection: Connection | None = None
        while not self._stop.wait(self._every):
            connection = self._write(connection)
        self._runner.database.discard(self._write(connection))

    def _write(self, connection: Connection | None) -> Connection | None:
        """Write new entries, on a connection that stays open only while entries keep coming."""
        if not self._runner.history.is_new:
            self._runner.database.discard(connection)
            return None
        try:
            connection = connection or self._runner.database.connect()
            self._runner.history.write(self._runner.database, connection, self._server)
        except BaseException as error:
            # The loop reports a lost database; here, the next write tries again.
            if not self._runner.database.is_its_own(error):
                self._runner.events.emit(Broken("writing history", failure_of(error)))
            self._runner.database.discard(connection)
            return None
        return connection


def write_at_end(runner: Runner, connection: Connection, server: int) -> None:
    """Write the history of runs in this thread. An error is only reported, since the runs themselves succeeded."""
    if runner.history.is_new:
        try:
            runner.history.write(runner.database, connection, server)
        except BaseException as error:
            runner.events.emit(Broken("writing history", failure_of(error)))
