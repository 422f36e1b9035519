"""Sleeping until new work wakes the server, whatever its database wakes it by."""

import os
import select
import threading
import time
from contextlib import suppress
from typing import Literal

from sqlalchemy import Connection

from afterwork.settings import Settings

MIN_POLL_SECONDS = 0.001
"""The resolution of the system call. A shorter wait is slept."""

WaitEnd = Literal["new work", "wake", "time"]
"""The reason why a wait has ended: somebody wrote new work, called `wake`, or neither until its time was over."""


def wait_for(seconds: float, *descriptors: int) -> list[int]:
    """Return the descriptors that can be read, as soon as one can; none if the time is over first."""
    # Not select(), which knows only the first 1,024 files of a process.
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    if 0 < seconds < MIN_POLL_SECONDS:
        time.sleep(seconds)
    return [descriptor for descriptor, _ in poll.poll(int(max(0.0, seconds) * 1000))]


def empty(descriptor: int) -> None:
    """Read everything that a descriptor has."""
    with suppress(BlockingIOError):
        os.read(descriptor, 65536)


class WakePipe:
    """A pipe by which any thread ends a wait for `reader`."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self._writer, False)
        self._closing = threading.Lock()
        self._closed = False

    def wake(self) -> None:
        """End the wait, from any thread."""
        with self._closing:
            if not self._closed:
                with suppress(BlockingIOError):  # the pipe is full, so the wait is ending already
                    os.write(self._writer, b".")

    def close(self) -> None:
        with self._closing:
            self._closed = True
            os.close(self.reader)
            os.close(self._writer)


class Ear:
    """Counts the signals that reach a sleeping server, so that a probe can check that they do."""

    def __init__(self) -> None:
        self._more = threading.Condition()
        self.count = 0

    def hear(self) -> None:
        """Count a signal."""
        with self._more:
            self.count += 1
            self._more.notify_all()

    def hears_more(self, than: int, seconds: float) -> bool:
        """Wait until the count differs from `than`. Return False if no signal arrives in time."""
        with self._more:
            return self._more.wait_for(lambda: self.count != than, seconds)


class Waker:
    """Puts the server's loop to sleep. `ear` counts the signals that reach it from outside."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.ear = Ear()

    def arm(self) -> float:
        """Ask to be woken by new work. Return the seconds for which the server may rely on it."""
        return self._settings.safety_poll.total_seconds()

    def disarm(self) -> None:
        """Ask not to be woken any more: the server is awake and will look by itself."""

    def wait(self, seconds: float) -> WaitEnd:
        """Sleep until new work wakes the server, `wake` is called, or the time is over. Return which it was."""
        raise NotImplementedError

    def wake(self) -> None:
        """Wake the loop, from any thread."""
        raise NotImplementedError

    def nudge(self, connection: Connection) -> None:
        """Send, on another connection, a signal that must reach this waker, as a probe."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the resources of the waker."""


class PollingWaker(Waker):
    """Polls. For PostgreSQL behind a pooler that keeps no session, or where nobody may notify."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._event = threading.Event()

    def wait(self, seconds: float) -> WaitEnd:
        self._event.wait(min(seconds, self._settings.standby_poll.total_seconds()))
        self._event.clear()
        self.ear.hear()
        return "new work"  # for all that it knows

    def wake(self) -> None:
        self._event.set()

    def nudge(self, connection: Connection) -> None:
        self.wake()  # nobody else could
