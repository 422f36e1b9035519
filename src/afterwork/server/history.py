"""When the history of a server is written."""

import threading

from sqlalchemy import Connection

from afterwork.boundary import failure_of
from afterwork.events import Broken
from afterwork.jobs.runner import Runner

EVERY = 10.0
"""Seconds between two writes, while something runs."""


class HistoryKeeper:
    """The thread that writes the history of a server."""

    def __init__(self, runner: Runner, server: int, every: float = EVERY) -> None:
        self._runner = runner
        self._server = server
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="afterwork-history", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Write the rest, and end the thread. Waits for that for so long at most."""
        self._stop.set()
        self._thread.join(seconds)

    def _keep(self) -> None:
        connection: Connection | None = None
        while not self._stop.wait(self._every):
            connection = self._write(connection)
        self._runner.database.discard(self._write(connection))

    def _write(self, connection: Connection | None) -> Connection | None:
        """Write what is new, on a connection that is there only as long as there is something to write."""
        if not self._runner.history.is_new:
            self._runner.database.discard(connection)
            return None
        try:
            connection = connection or self._runner.database.connect()
            self._runner.history.write(self._runner.database, connection, self._server)
        except BaseException as error:
            # The loop speaks of a lost database; here it is tried again at the next time.
            if not self._runner.database.is_its_own(error):
                self._runner.events.emit(Broken("writing history", failure_of(error)))
            self._runner.database.discard(connection)
            return None
        return connection


def write_at_end(runner: Runner, connection: Connection, server: int) -> None:
    """Write what has run in this thread. What goes wrong is said, since the runs themselves have gone well."""
    if runner.history.is_new:
        try:
            runner.history.write(runner.database, connection, server)
        except BaseException as error:
            runner.events.emit(Broken("writing history", failure_of(error)))
