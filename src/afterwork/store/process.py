"""Processes of this machine, told apart although their numbers come back."""

import os
from pathlib import Path


def process_start(process: int) -> float:
    """A number that says when a process began; -1 if there is none of this number, 0 where the system doesn't tell."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return -1
    except PermissionError:
        pass  # it is there, and somebody else's
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return -1 if fields[0] == "Z" else float(fields[19])
