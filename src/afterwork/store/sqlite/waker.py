"""Waking servers on SQLite, by writes to the file: seen by inotify on Linux, and by polling elsewhere."""

import ctypes
import os
import sys
import time
import uuid
from collections.abc import Iterable
from typing import Literal

from sqlalchemy import Connection, text

from afterwork.settings import Settings
from afterwork.store.sqlite.open_file import OpenFile
from afterwork.store.waker import WaitEnd, WakePipe, Waker, empty, wait_for

IN_MODIFY, IN_ATTRIB, IN_MOVE_SELF = 0x2, 0x4, 0x800
"""The watched events: writes, and the loss of a file's name, to another file or by a move."""

FIRST_LOOK_SECONDS, MAX_LOOK_SECONDS, COMMIT_SECONDS = 0.0005, 0.02, 2.0
"""The first and longest pause between checks for a commit to a SQLite file, and the time limit."""

Seen = Literal["woken", "written", "quiet"]

_PROBE_FILE = text(
    "INSERT INTO afterwork_installation (name, value) VALUES ('probe', :value)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class FileWatch:
    """Waits for writes to files, or to be woken by another thread, whichever comes first."""

    def __init__(self, files: Iterable[str]) -> None:
        self._pipe = WakePipe()
        self.wake = self._pipe.wake
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC) if self._libc is not None else -1
        self.renew(files)

    def renew(self, files: Iterable[str]) -> None:
        """Watch these files, including those that were created again under the same name."""
        if self._libc is not None and self._inotify >= 0:
            for file in files:
                # A missing file can't be watched; whoever waits also polls the file itself now and then.
                self._libc.inotify_add_watch(self._inotify, os.fsencode(file), IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF)

    def wait(self, seconds: float) -> Seen:
        """Wait for a write, or for `wake`, or until the time is over."""
        ready = wait_for(seconds, self._pipe.reader, *([self._inotify] if self._inotify >= 0 else []))
        if self._pipe.reader in ready:
            empty(self._pipe.reader)
            return "woken"
        if ready:
            empty(self._inotify)
            return "written"
        return "quiet"

    def wait_for_loop(self, seconds: float) -> bool:
        """Wait for `wake` alone. Return whether it came."""
        ready = wait_for(seconds, self._pipe.reader)
        if ready:
            empty(self._pipe.reader)
        return bool(ready)

    def close(self) -> None:
        self._pipe.close()
        if self._inotify >= 0:
            os.close(self._inotify)


class FileWaker(Waker):
    """Wakes when a SQLite file is written to and somebody else's transaction has committed.

    The operating system reports the write; the commit can be seen only a little later, when it is safe on the disk.
    Where the system reports nothing, the file is polled, which takes a few microseconds each time.
    """

    def __init__(self, connection: Connection, settings: Settings, file: OpenFile | None = None) -> None:
        super().__init__(settings)
        self._file = file
        self._cursor = connection.connection.cursor()
        self._watch = FileWatch(self._files())
        self._commit_until = 0.0
        """The clock reading until which the commit of a reported write is awaited, by several waits if need be."""
        self._pause = self._longest_pause
        """The seconds after which the file is polled while nothing is reported."""
        self._version = self._data_version()

    def arm(self) -> float:
        self._watch.renew(self._files())
        return super().arm()

    def wait(self, seconds: float) -> WaitEnd:
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            if self._commit_until > now:
                ended = self._await_commit(min(until, self._commit_until))
                if ended != "time":
                    return ended
                continue
            match self._watch.wait(min(until - now, self._pause)):
                case "woken":
                    return "wake"
                case "written" | "quiet" if self._has_lost_name():
                    return "new work"
                case "written":
                    self._commit_until = time.monotonic() + COMMIT_SECONDS
                case "quiet":
                    if self._is_committed():
                        return "new work"
        return "time"

    def wake(self) -> None:
        self._watch.wake()

    def nudge(self, connection: Connection) -> None:
        # Another value each time: SQLite writes nothing if nothing changes.
        connection.execute(_PROBE_FILE, {"value": str(uuid.uuid4())})
        connection.commit()

    def close(self) -> None:
        self._watch.close()
        self._cursor.close()

    def _await_commit(self, until: float) -> WaitEnd:
        """Wait for the commit of a write, which brings new work. The next wait goes on if this one ends without it: the
        system reports a write only once."""
        step = FIRST_LOOK_SECONDS
        while not self._is_committed():
            if time.monotonic() >= until:
                return "time"
            if self._watch.wait_for_loop(step):
                return "wake"
            step = min(step * 1.5, MAX_LOOK_SECONDS)
        self._commit_until = 0.0
        return "new work"

    def _is_committed(self) -> bool:
        """Return whether others have committed something. If so, poll more often for a moment: the report of the next
        write may have been taken together with this one, before its commit."""
        changed = self.has_changed()
        self._pause = FIRST_LOOK_SECONDS if changed else min(self._pause * 2, self._longest_pause)
        return changed

    @property
    def _longest_pause(self) -> float:
        return self._settings.file_poll.total_seconds()

    def _has_lost_name(self) -> bool:
        return self._file is not None and not self._file.is_in_place

    def has_changed(self) -> bool:
        """Return whether others have committed something since the last call."""
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
