"""Waiting for what a server does, with a deadline."""

import time
from collections.abc import Callable

STEP = 0.005
"""Seconds between two looks."""


def eventually(check: Callable[[], object], within: float = 20.0) -> None:
    """Return as soon as `check` is true. Fails if it is not `within` so many seconds."""
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, f"not true within {within} seconds: {check}"
        time.sleep(STEP)
