"""Readings that are used again for some seconds, for pages that are shown again and again."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Something that is read anew when the last reading is some seconds old.

    Many pages may be open, and one reading is enough for all. `clock` reads monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._last: tuple[float, T] | None = None

    def get(self, read: Callable[[], T]) -> T:
        """Return what was read lately. Whoever needs it anew reads it, and others wait for that."""
        with self._lock:
            if self._last is None or self._clock() - self._last[0] >= self._seconds:
                reading = read()
                self._last = (self._clock(), reading)
            return self._last[1]
