"""Watching files for writes: by inotify on Linux, not at all elsewhere."""

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterable
from typing import Literal

from afterwork.server.file_wait import wait_for

IN_MODIFY = 0x2

Seen = Literal["woken", "written", "quiet"]


class FileWatch:
    """Waits for writes to files, or to be woken by another thread, whichever comes first."""

    def __init__(self, files: Iterable[str]) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        self._closing = threading.Lock()
        self._closed = False
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC) if self._libc is not None else -1
        self.renew(files)

    def renew(self, files: Iterable[str]) -> None:
        """Watch these files, including those that were created again under the same name."""
        if self._libc is not None and self._inotify >= 0:
            for file in files:
                # A missing file can't be watched; whoever waits also polls the file itself now and then.
                self._libc.inotify_add_watch(self._inotify, os.fsencode(file), IN_MODIFY)

    def wait(self, seconds: float) -> Seen:
        """Wait for a write, or for `wake`, or until the time is over."""
        watched = [self._reader, *([self._inotify] if self._inotify >= 0 else [])]
        ready = wait_for(seconds, *watched)
        if self._reader in ready:
            self._empty(self._reader)
            return "woken"
        if ready:
            self._empty(self._inotify)
            return "written"
        return "quiet"

    def wait_for_loop(self, seconds: float) -> bool:
        """Wait for `wake` alone. Return whether it came."""
        ready = wait_for(seconds, self._reader)
        if ready:
            self._empty(self._reader)
        return bool(ready)

    def wake(self) -> None:
        """End a wait, from any thread."""
        with self._closing:
            if not self._closed:
                with contextlib.suppress(BlockingIOError):  # the pipe is full, so the wait is ending already
                    os.write(self._writer, b".")

    def close(self) -> None:
        """Close all descriptors."""
        with self._closing:
            self._closed = True
            for descriptor in (self._reader, self._writer, self._inotify):
                if descriptor >= 0:
                    os.close(descriptor)

    def _empty(self, descriptor: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(descriptor, 65536)
