"""Waiting for files of the system, however many of them the process has open."""

import select
import time

SHORTEST = 0.001
"""Seconds that the system counts in. A shorter wait is slept."""


def wait_for(seconds: float, *descriptors: int) -> list[int]:
    """Return those from which something can be read, as soon as it can; none if the time is over before."""
    # Not select(), which knows only the first 1,024 files of a process.
    poll = select.poll()
    for one in descriptors:
        poll.register(one, select.POLLIN)
    if 0 < seconds < SHORTEST:
        time.sleep(seconds)
    return [one for one, _ in poll.poll(int(max(0.0, seconds) * 1000))]
