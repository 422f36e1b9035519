"""How a server sleeps, and what wakes it.

A sleeping PostgreSQL server holds an advisory lock. The trigger on the ticket table tries to share that lock: where it
can, no server sleeps, nothing is sent, and the lock that it has got keeps a server from falling asleep before its
transaction has ended; where it can't, it notifies. So no ticket falls between the last look and the sleep, and nothing
is notified while a server is awake.
"""

import contextlib
import os
import select
import threading
from typing import Protocol

from sqlalchemy import Connection, func, text
from sqlalchemy import select as query

from afterwork.settings import Settings
from afterwork.store.database import Database
from afterwork.store.postgresql import CHANNEL, SLEEP

FIRST_TRY = 0.002
"""Seconds before a server tries again to fall asleep while tickets are being written."""

SECOND_SLEEPER = 5
"""A server that sleeps while another one is the one to be woken looks this many times more seldom than in standby."""


class Waker(Protocol):
    """Puts the server's loop to sleep."""

    def arm(self) -> float:
        """Ask to be woken by new work. Returns for how many seconds at most the server may rely on it."""

    def disarm(self) -> None:
        """Ask not to be woken any more: the server is awake and will look by itself."""

    def wait(self, seconds: float) -> bool:
        """Sleep until new work wakes the server, `wake` is called, or the time is over. True if it was new work."""

    def wake(self) -> None:
        """Wake the loop, from any thread."""

    def close(self) -> None:
        """Let go of what it holds."""


def waker_for(database: Database, connection: Connection) -> Waker:
    """The way of waking that a database offers. `connection` becomes the waker's own, for as long as it lives."""
    settings = database.settings
    if database.dialect == "sqlite":
        return FileWaker(connection, settings)
    return NotifyWaker(connection, settings) if settings.listen else PollingWaker(settings)


class PollingWaker:
    """Looks again and again. For PostgreSQL behind a pooler that keeps no session."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._event = threading.Event()

    def arm(self) -> float:
        return self._settings.standby_poll.total_seconds()

    def disarm(self) -> None:
        pass

    def wait(self, seconds: float) -> bool:
        self._event.wait(seconds)
        self._event.clear()
        return True

    def wake(self) -> None:
        self._event.set()

    def close(self) -> None:
        pass


class FileWaker:
    """Asks a SQLite file whether any other connection has changed it: a few microseconds each time."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._cursor = connection.connection.cursor()
        self._settings = settings
        self._event = threading.Event()
        self._version = self._data_version()

    def arm(self) -> float:
        self._version = self._data_version()
        return self._settings.safety_poll.total_seconds()

    def disarm(self) -> None:
        pass

    def wait(self, seconds: float) -> bool:
        step = self._settings.file_poll.total_seconds()
        for _ in range(max(1, round(seconds / step))):
            if self._event.wait(min(step, seconds)):
                self._event.clear()
                return False
            version = self._data_version()
            if version != self._version:
                self._version = version
                return True
        return False

    def wake(self) -> None:
        self._event.set()

    def close(self) -> None:
        self._cursor.close()

    def _data_version(self) -> int:
        return int(self._cursor.execute("PRAGMA data_version").fetchone()[0])


class NotifyWaker:
    """Listens on PostgreSQL's channel, and lets writers know by a lock whether anybody needs to be notified."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._pg = connection.connection.dbapi_connection.pgconn  # type: ignore[union-attr]
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._closing = threading.Lock()
        self._closed = False
        self._retry = FIRST_TRY
        self._armed = False
        self._pending = False
        connection.connection.dbapi_connection.add_notify_handler(self._noticed)  # type: ignore[union-attr]
        connection.exec_driver_sql(f"LISTEN {CHANNEL}")
        connection.commit()

    def arm(self) -> float:
        if not self._armed:
            self._armed = bool(self._execute(query(func.pg_try_advisory_lock(SLEEP, 0))))
        if self._armed:
            self._retry = FIRST_TRY
            return self._settings.safety_poll.total_seconds()
        if self._execute(OTHER_SLEEPER, space=SLEEP):
            return SECOND_SLEEPER * self._settings.standby_poll.total_seconds()
        self._retry = min(self._retry * 2, self._settings.standby_poll.total_seconds())
        return self._retry

    def disarm(self) -> None:
        if self._armed:
            self._execute(query(func.pg_advisory_unlock(SLEEP, 0)))
            self._armed = False

    def wait(self, seconds: float) -> bool:
        if not self._pending:
            readable, _, _ = select.select([self._pg.socket, self._reader], [], [], max(0.0, seconds))
            if self._reader in readable:
                os.read(self._reader, 4096)
            if self._pg.socket in readable:
                self._pg.consume_input()
                while self._pg.notifies() is not None:
                    self._pending = True
        noticed, self._pending = self._pending, False
        return noticed

    def wake(self) -> None:
        with self._closing:
            if not self._closed:
                with contextlib.suppress(BlockingIOError):  # the pipe is full, so the loop is being woken already
                    os.write(self._writer, b".")

    def close(self) -> None:
        with self._closing:
            self._closed = True
            os.close(self._reader)
            os.close(self._writer)

    def _execute(self, statement: object, **values: object) -> object:
        result = self._connection.execute(statement, values).scalar()  # type: ignore[call-overload]
        self._connection.commit()
        return result

    def _noticed(self, notify: object) -> None:
        self._pending = True


OTHER_SLEEPER = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = :space AND objid = 0 AND granted"
    " AND mode = 'ExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
