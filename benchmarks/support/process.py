"""A process's figures from Linux."""

import os
import time
from pathlib import Path


def resident_mb(process: int | None = None) -> float:
    """Return the current memory of a process, or of this one."""
    pages = int(Path(f"/proc/{process or 'self'}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2)


def cpu_seconds(process: int) -> float:
    """Return the processor time of a process, over all its threads, to the microsecond."""
    return time.clock_gettime(~process << 3 | 2)  # what clock_getcpuclockid(3) makes of its number
