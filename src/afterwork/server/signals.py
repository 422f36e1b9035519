"""Signals to a serving process: stop, stop at once, or read the jobs files again.

They are handled on a separate thread, since the main thread may be in a call that never returns, for instance when its
database does not answer.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

STOP = signal.SIGTERM, signal.SIGINT
RELOAD = signal.SIGHUP

ENDED_BY = 128
"""Shells add this to the number of the signal that ended a process, for its exit code."""


class Signals:
    """Listens to signals while the block lasts. `reload` is true if the last one asked for a reload. A second request
    to stop ends the process at once."""

    def __init__(self) -> None:
        self.reload = False
        self._stop: Callable[[], None] = lambda: None
        self.told = False
        """True once a signal has asked the process to stop."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._woken_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, lambda *_: None) for number in (*STOP, RELOAD)}
        self._thread = threading.Thread(target=self._listen, args=(reader,), name="afterwork-signals", daemon=True)
        self._thread.start()
        os.register_at_fork(after_in_child=self._give_back)
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()
        os.close(self._writer)
        self._thread.join()

    def listen(self, stop: Callable[[], None]) -> None:
        """Call `stop` at the next signal; or now, if one has already asked the process to stop."""
        self._stop, self.reload = stop, False
        if self.told:
            stop()

    def _give_back(self) -> None:
        """Restore the earlier handlers, also in a process that a job has forked: its signals are its own."""
        while self._before:
            signal.signal(*self._before.popitem())
            signal.set_wakeup_fd(self._woken_before)

    def _listen(self, reader: int) -> None:
        with open(reader, "rb", buffering=0) as numbers:
            while heard := numbers.read(1):
                if heard[0] in (*STOP, RELOAD):
                    self._hear(heard[0])

    def _hear(self, number: int) -> None:
        if self.told and number in STOP:
            os._exit(ENDED_BY + number)
        self.told = self.told or number in STOP
        self.reload = not self.told
        self._stop()
