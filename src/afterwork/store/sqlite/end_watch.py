"""Watching for the ends of tickets on SQLite, where any commit may have ended some."""

from collections.abc import Collection

from afterwork.store.end_watch import EndWatch
from afterwork.store.sqlite.waker import FileWaker


class FileEndWatch(EndWatch):
    """Wakes at each commit of others to the file.

    A write is seen before its commit, and the commit by the version of the file. So the version is read before each
    look: otherwise an earlier commit would be taken for the one that the next write announces.
    """

    def __init__(self, waker: FileWaker) -> None:
        super().__init__(waker)
        self._file = waker
        self._missed = False

    def add(self, keys: Collection[str]) -> None:
        self._file.arm()  # the log may have been created since the watch began
        self._missed = self._file.has_changed() or self._missed

    def wait(self, seconds: float) -> bool:
        if self._missed:
            self._missed = False
            return True
        return super().wait(seconds) or self._file.has_changed()
