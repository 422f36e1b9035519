"""Take turns at a SQLite file.

SQLite has a single lock for all writers, and a waiting writer polls it ever more rarely. So a server that drains a lane
could keep an application from writing for seconds. Hence the threads of a server take turns among themselves, and a
server that has had the file for a while leaves it alone: for a tenth of the time that it had it, and for as long as it
had it while others are seen to write.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

ROOM = 0.1
"""The share of its own time that a server always leaves to others."""

ROOM_FOR_WRITERS = 1.0
"""The share that it leaves while others are writing."""

BURST = 0.01
"""The seconds for which a server may have the file before it pauses: a few short transactions don't wait."""

REMEMBERED = 1.0
"""The seconds for which others count as writing after a write."""


class FileFairness:
    """The turns of one process's threads at a file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: object = None
        self._seen: tuple[object, int] | None = None
        """The connection that had the last turn, and the version of the file that it saw."""
        self._letting_go = threading.Lock()
        self._began = 0.0
        self._not_before = 0.0
        self._writers_until = 0.0

    @contextmanager
    def taken(self, connection: Connection) -> Iterator[None]:
        """Hold the file for one transaction."""
        driver = connection.connection.dbapi_connection
        self._lock.acquire()
        self.begun()
        self._holder = driver
        try:
            self._make_room(driver)
            self.begun()
            yield
        finally:
            self.take_from(driver)

    def take_from(self, driver: object) -> None:
        """End the turn of a driver's connection, unless it has already ended."""
        with self._letting_go:
            if self._holder is not driver:
                return
            self._holder = None
            ended = time.monotonic()
            share = ROOM_FOR_WRITERS if ended < self._writers_until else ROOM
            self._not_before = max(self._not_before, self._began) + (ended - self._began) * (1 + share)
            self._lock.release()

    def held_since(self, driver: object) -> float | None:
        """Return the clock reading at which a driver's connection got the file; None if it hasn't the file."""
        began = self._began
        return began if self._holder is driver else None

    def begun(self) -> None:
        """Note that the transaction has got the file, for which it may have waited."""
        self._began = time.monotonic()

    def _make_room(self, driver: Any) -> None:
        """Pause, and note whether others write.

        A connection's version also changes if another thread of this process commits. So it is compared with that of
        the last turn only if the same connection had it, and otherwise with that from before the pause."""
        before = self._seen if self._seen is not None and self._seen[0] is driver else (driver, _version(driver))
        pause = self._not_before - BURST - time.monotonic()
        if pause > 0:  # to sleep for nothing gives the processor away
            time.sleep(pause)
        self._seen = (driver, _version(driver))
        if self._seen != before:
            self._writers_until = time.monotonic() + REMEMBERED


def _version(driver: Any) -> int:
    """Return a number that changes when another connection commits."""
    return int(driver.execute("PRAGMA data_version").fetchone()[0])
