"""The pulse of the server's loop: it promises when it will be back, so that others can check."""

import threading
import time
from collections.abc import Callable

ITERATION_SECONDS = 60.0
"""One iteration of the loop may take this long besides sleeping: its few statements may each wait for a lock."""


class Pulse:
    """The loop's promise. `clock` reads monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None
        self.has_ended = False

    def promise(self, seconds: float) -> None:
        """Promise that the loop will be back within these seconds."""
        self._until = self._clock() + seconds

    def end(self) -> None:
        """Note that the loop has ended."""
        self.has_ended = True

    @property
    def late(self) -> float:
        """Return the seconds by which the loop is late; 0 if it is in time or has yet to begin."""
        return 0.0 if self._until is None else max(0.0, self._clock() - self._until)


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
