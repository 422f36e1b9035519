"""Waiting for what a server does, with a deadline."""

import time
from collections.abc import Callable

STEP, MAX_STEP = 0.005, 0.1
"""Seconds between two looks."""

REST = 2
"""Within these bounds, looks are this many times as far apart as one takes, so that looking delays nobody much."""


def eventually(check: Callable[[], object], within: float = 60.0) -> None:
    """Return as soon as `check` is true. Fails if it is not `within` so many seconds."""
    deadline = time.monotonic() + within
    while True:
        began = time.monotonic()
        if check():
            return
        looked = time.monotonic()
        assert looked < deadline, f"not true within {within} seconds: {check}"
        time.sleep(min(MAX_STEP, max(STEP, REST * (looked - began))))
