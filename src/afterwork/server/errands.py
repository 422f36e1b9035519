"""Errands of async runs: short tasks with a connection, for a few of a server's workers."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from afterwork.jobs.progress import Errand
from afterwork.server.workers import Workers

RETRY_SECONDS = 0.5
"""The pause after a worker could not begin for want of a connection."""


def nothing_else() -> None:
    pass


@dataclass(eq=False)
class _Turn:
    """The turn of one worker with the errands that wait. `ended` ends the errand that it is at. The turn `is_over` once
    nobody waits for the worker any more."""

    ended: Callable[[], None] = nothing_else
    has_begun: bool = False
    is_over: bool = False


class Errands:
    """Errands that wait, and up to `most` workers that do them. Whatever happens to its worker, each has an end."""

    def __init__(self, workers: Workers, most: int) -> None:
        self._workers = workers
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Errand, Callable[[], None]]] = deque()
        self._busy = 0

    def put(self, errand: Errand, ended: Callable[[], None] = nothing_else) -> None:
        """Have an errand done soon. `ended` is called after it, also if its worker is lost."""
        with self._lock:
            self._waiting.append((errand, ended))
        self._begin()

    def _begin(self) -> None:
        with self._lock:
            if not self._waiting or self._busy == self._most:
                return
            self._busy += 1
        turn = _Turn()
        self._workers.start(partial(self._work, turn), partial(self._ended, turn))

    def _work(self, turn: _Turn, connection: Connection) -> None:
        turn.has_begun = True
        while (errand := self._next(turn)) is not None:
            errand(connection)
            turn.ended()
            turn.ended = nothing_else

    def _next(self, turn: _Turn) -> Errand | None:
        with self._lock:
            if not self._waiting or turn.is_over:
                return None
            errand, turn.ended = self._waiting.popleft()
            return errand

    def _ended(self, turn: _Turn) -> None:
        with self._lock:
            self._busy -= 1
            turn.is_over = True
        turn.ended()
        if turn.has_begun:
            self._begin()
        else:  # it got no connection, nor will the next one at once
            later = threading.Timer(RETRY_SECONDS, self._begin)
            later.daemon = True
            later.start()
