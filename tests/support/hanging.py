"""Ways in which code hangs where a test says so, until the gate opens: in Python, or where nothing interrupts it."""

import threading
import time
from collections.abc import Callable

GATE = threading.Event()

HANGING: dict[str, Callable[[], object]] = {}
"""The way in which something hangs, by its place."""


def loops() -> None:
    while not GATE.is_set():
        time.sleep(0.001)


def waits() -> None:
    GATE.wait()
