"""Watching for the ends of tickets on SQLite, where any commit may have ended some."""

import math
from collections.abc import Collection

from afterwork.store.end_watch import EndWatch
from afterwork.store.sqlite.waker import FileWaker

FIRST_PAUSE, LAST_PAUSE = 0.004, 1.0
"""The first and the last pause, in seconds, between two looks at the version after a commit."""


class FileEndWatch(EndWatch):
    """Wakes at each commit of others to the file.

    A write is seen before its commit, and the commit by the version of the file. So the version is read before each
    look: otherwise an earlier commit would be taken for the one that the next write announces. Two writes may be seen
    as one, so for a moment after a commit the version is read again.
    """

    def __init__(self, waker: FileWaker) -> None:
        super().__init__(waker)
        self._file = waker
        self._missed = False
        self._pause = math.inf

    def add(self, keys: Collection[str]) -> None:
        self._file.arm()  # the log may have been created since the watch began
        self._missed = self._file.has_changed() or self._missed

    def wait(self, seconds: float) -> bool:
        if self._missed:
            self._missed = False
            return True
        woken = super().wait(min(seconds, self._pause)) or self._file.has_changed()
        self._pause = FIRST_PAUSE if woken else self._longer_pause
        return woken

    @property
    def _longer_pause(self) -> float:
        return 2 * self._pause if self._pause < LAST_PAUSE else math.inf
