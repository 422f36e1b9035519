"""Whether the server's loop goes round: it says when it will be back, and others see whether it is."""

import threading
import time
from collections.abc import Callable

TURN = 60.0
"""Seconds that the loop may take for one turn beside sleeping: a few statements, each of which may wait for a lock."""


class Pulse:
    """The loop's promise. `clock` reads seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None
        self.has_ended = False

    def promise(self, seconds: float) -> None:
        """The loop will be back within these seconds."""
        self._until = self._clock() + seconds

    def end(self) -> None:
        """The loop goes round no more."""
        self.has_ended = True

    @property
    def late(self) -> float:
        """Seconds since the loop should have been back; 0 if it is in time, or has not begun."""
        return 0.0 if self._until is None else max(0.0, self._clock() - self._until)


class Ear:
    """Counts what a sleeping server is told, so that a probe can see that it is told anything."""

    def __init__(self) -> None:
        self._more = threading.Condition()
        self.count = 0

    def hear(self) -> None:
        """Something has been told."""
        with self._more:
            self.count += 1
            self._more.notify_all()

    def hears_more(self, than: int, seconds: float) -> bool:
        """Wait for more than was told when `count` was so much. False if nothing comes in time."""
        with self._more:
            return self._more.wait_for(lambda: self.count != than, seconds)
