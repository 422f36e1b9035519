"""The findings of the last check, for pages that are shown again and again."""

import time
from collections.abc import Callable, Sequence
from threading import Lock

from afterwork.insight import Finding

FRESH_SECONDS = 5.0
"""Findings are used for so long. A check reads much of the catalog, and many pages may be open."""


class RecentCheck:
    """The findings of a check that is made anew when the last one is some seconds old.

    `clock` reads monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._findings: Sequence[Finding] = ()
        self._made_at = float("-inf")

    def findings(self, check: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
        """Return recent findings. Whoever needs new ones makes them, and others wait for these."""
        with self._lock:
            if self._clock() - self._made_at >= FRESH_SECONDS:
                self._findings, self._made_at = check(), self._clock()
            return self._findings
