"""What Linux says of a process."""

import os
import time
from pathlib import Path


def resident_mb() -> float:
    """The memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2)


def cpu_seconds(process: int) -> float:
    """The time that a process has spent on a processor, all its threads together, to the microsecond."""
    return time.clock_gettime(~process << 3 | 2)  # what clock_getcpuclockid(3) makes of its number
