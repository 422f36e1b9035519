"""Sleeping until new work wakes the server.

On PostgreSQL, a sleeping server holds an advisory lock, which the triggers on the ticket table and on every tracked
table try to share. If they can, no server sleeps: nothing is sent, and the shared lock keeps servers from falling
asleep before the transaction ends. If they can't, they notify. So no ticket and no change is lost between the last look
and the sleep, and no server that is awake is notified.
"""

import contextlib
import os
import threading
import time
import uuid
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection, TextClause, func, select, text

from afterwork.server.file_wait import wait_for
from afterwork.server.file_watch import FileWatch
from afterwork.server.liveness import Ear
from afterwork.settings import Settings
from afterwork.store.database import Database
from afterwork.store.postgresql import sleep

if TYPE_CHECKING:
    from psycopg import Notify  # not installed where nobody needs it

PROBE = "probe"
"""The payload of a notification that only tests whether it is heard."""

_PROBE_FILE = text(
    "INSERT INTO afterwork_installation (name, value) VALUES ('probe', :value)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)

FIRST_TRY_SECONDS = 0.002
"""The first pause before a server tries again to fall asleep while tickets are being written."""

SECOND_SLEEPER_FACTOR = 5
"""A server that sleeps while another one will be woken looks this many times less often than in standby."""


FIRST_LOOK_SECONDS, MAX_LOOK_SECONDS, COMMIT_SECONDS = 0.0005, 0.02, 2.0
"""The first and longest pause between checks for a commit to a SQLite file, and the time limit."""


class Waker(Protocol):
    """Puts the server's loop to sleep. `ear` counts the signals that reach it from outside."""

    ear: Ear

    def arm(self) -> float:
        """Ask to be woken by new work. Return the seconds for which the server may rely on it."""

    def disarm(self) -> None:
        """Ask not to be woken any more: the server is awake and will look by itself."""

    def wait(self, seconds: float) -> bool:
        """Sleep until new work wakes the server, `wake` is called, or the time is over. Return True for new work."""

    def wake(self) -> None:
        """Wake the loop, from any thread."""

    def nudge(self, connection: Connection) -> None:
        """Send, on another connection, a signal that must reach this waker, as a probe."""

    def close(self) -> None:
        """Release the resources of the waker."""


def waker_for(database: Database, connection: Connection) -> Waker:
    """Return the waker for a database. It keeps `connection` for itself."""
    settings = database.settings
    if database.dialect == "sqlite":
        return FileWaker(connection, settings)
    listens = settings.listen and not notifying_would_fail(database, connection)
    return NotifyWaker(connection, settings) if listens and settings.notify is not False else PollingWaker(settings)


def notifying_would_fail(database: Database, connection: Connection) -> bool:
    """Return whether a listening server could make a user's transaction fail, unless settings rule it out."""
    if database.dialect == "sqlite" or not database.settings.listen or database.settings.notify is not None:
        return False
    can_prepare = connection.execute(sleep.CAN_PREPARE).scalar()
    connection.commit()
    return bool(can_prepare)


class PollingWaker:
    """Polls. For PostgreSQL behind a pooler that keeps no session, or where nobody may notify."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._event = threading.Event()
        self.ear = Ear()

    def arm(self) -> float:
        return self._settings.safety_poll.total_seconds()

    def disarm(self) -> None:
        pass

    def wait(self, seconds: float) -> bool:
        self._event.wait(min(seconds, self._settings.standby_poll.total_seconds()))
        self._event.clear()
        self.ear.hear()
        return True

    def wake(self) -> None:
        self._event.set()

    def nudge(self, connection: Connection) -> None:
        self.wake()  # nobody else could

    def close(self) -> None:
        pass


class FileWaker:
    """Wakes when a SQLite file is written to and somebody else's transaction has committed.

    The operating system reports the write; the commit can be seen only a little later, when it is safe on the disk.
    Where the system reports nothing, the file is polled, which takes a few microseconds each time.
    """

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._cursor = connection.connection.cursor()
        self._settings = settings
        self._watch = FileWatch(self._files())
        self.ear = Ear()
        self._version = self._data_version()

    def arm(self) -> float:
        self._watch.renew(self._files())
        return self._settings.safety_poll.total_seconds()

    def disarm(self) -> None:
        pass

    def wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            match self._watch.wait(min(left, self._settings.file_poll.total_seconds())):
                case "woken":
                    return False
                case "written":
                    woken = self._await_commit(min(left, COMMIT_SECONDS))
                    if woken is not None:
                        return woken
                case "quiet":
                    if self._has_changed():
                        return True
        return False

    def wake(self) -> None:
        self._watch.wake()

    def nudge(self, connection: Connection) -> None:
        # Another value each time: SQLite writes nothing if nothing changes.
        connection.execute(_PROBE_FILE, {"value": str(uuid.uuid4())})
        connection.commit()

    def close(self) -> None:
        self._watch.close()
        self._cursor.close()

    def _await_commit(self, seconds: float) -> bool | None:
        """Wait for the commit of a write. Return True when it has come, False if woken before, None if none comes."""
        until = time.monotonic() + seconds
        step = FIRST_LOOK_SECONDS
        while not self._has_changed():
            if time.monotonic() >= until:
                return None
            if self._watch.wait_for_loop(step):
                return False
            step = min(step * 1.5, MAX_LOOK_SECONDS)
        return True

    def _has_changed(self) -> bool:
        before, self._version = self._version, self._data_version()
        if self._version == before:
            return False
        self.ear.hear()
        return True

    def _data_version(self) -> int:
        return int(self._cursor.execute("PRAGMA data_version").fetchone()[0])

    def _files(self) -> list[str]:
        databases = self._cursor.execute("PRAGMA database_list").fetchall()
        return [name for _, schema, path in databases if schema == "main" and path for name in (path, f"{path}-wal")]


class NotifyWaker:
    """Listens on a channel of PostgreSQL. A lock shows writers whether anybody needs to be notified."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._pg = connection.connection.dbapi_connection.pgconn  # type: ignore[union-attr]
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._closing = threading.Lock()
        self._closed = False
        self._retry = FIRST_TRY_SECONDS
        self._armed = False
        self._pending = False
        self.ear = Ear()
        self._channel = sleep.channel(connection)
        connection.connection.dbapi_connection.add_notify_handler(self._noticed)  # type: ignore[union-attr]
        connection.exec_driver_sql(f"LISTEN {self._channel}")
        connection.commit()

    def arm(self) -> float:
        if not self._armed:
            self._armed = bool(self._execute(sleep.FALL_ASLEEP))
        if self._armed:
            self._retry = FIRST_TRY_SECONDS
            return self._settings.safety_poll.total_seconds()
        if self._execute(sleep.SOMEBODY_SLEEPS):
            return SECOND_SLEEPER_FACTOR * self._settings.standby_poll.total_seconds()
        self._retry = min(self._retry * 2, self._settings.standby_poll.total_seconds())
        return self._retry

    def disarm(self) -> None:
        if self._armed:
            self._execute(sleep.BE_AWAKE)
            self._armed = False

    def wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self._pending:
            database = self._pg.socket
            readable = wait_for(until - time.monotonic(), database, self._reader)
            if database in readable:
                self._take_notifications()
            if self._reader in readable:
                os.read(self._reader, 4096)
                break
            if not readable:
                break
        noticed, self._pending = self._pending, False
        return noticed

    def _take_notifications(self) -> None:
        self._pg.consume_input()
        while (notification := self._pg.notifies()) is not None:
            self._hear(notification.extra == PROBE.encode())

    def wake(self) -> None:
        self._retry = FIRST_TRY_SECONDS  # something was done, so more may come soon
        with self._closing:
            if not self._closed:
                with contextlib.suppress(BlockingIOError):  # the pipe is full, so the loop is being woken already
                    os.write(self._writer, b".")

    def close(self) -> None:
        with self._closing:
            self._closed = True
            os.close(self._reader)
            os.close(self._writer)

    def nudge(self, connection: Connection) -> None:
        connection.execute(select(func.pg_notify(self._channel, PROBE)))
        connection.commit()

    def _execute(self, statement: TextClause) -> object:
        result: object = self._connection.execute(statement).scalar()
        self._connection.commit()
        return result

    def _noticed(self, notify: "Notify") -> None:
        self._hear(notify.payload == PROBE)

    def _hear(self, is_probe: bool) -> None:
        self.ear.hear()
        self._pending |= not is_probe
