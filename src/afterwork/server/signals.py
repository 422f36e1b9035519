"""What a serving process is told by signals: to stop, or to read its files of jobs again."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

STOP = signal.SIGTERM, signal.SIGINT
RELOAD = signal.SIGHUP


class Signals:
    """Listens to signals while the block lasts. `reload` says that the last one asked for that, and not for the end."""

    def __init__(self) -> None:
        self.reload = False
        self._stop: Callable[[], None] = lambda: None
        self._told = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        self._before = {number: signal.signal(number, self._hear) for number in (*STOP, RELOAD)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self, stop: Callable[[], None]) -> None:
        """Call `stop` at the next signal; or now, if one that asked for the end has come already."""
        self._stop, self.reload = stop, False
        if self._told:
            stop()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._told = self._told or number != RELOAD
        self.reload = not self._told
        self._stop()
