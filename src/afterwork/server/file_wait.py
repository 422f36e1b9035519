"""Waiting for file descriptors, however many the process has open."""

import select
import time

MIN_POLL_SECONDS = 0.001
"""The resolution of the system call. A shorter wait is slept."""


def wait_for(seconds: float, *descriptors: int) -> list[int]:
    """Return the descriptors that can be read, as soon as one can; none if the time is over first."""
    # Not select(), which knows only the first 1,024 files of a process.
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    if 0 < seconds < MIN_POLL_SECONDS:
        time.sleep(seconds)
    return [descriptor for descriptor, _ in poll.poll(int(max(0.0, seconds) * 1000))]
