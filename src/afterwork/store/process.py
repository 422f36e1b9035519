"""Processes of this machine, told apart although their numbers come back."""

import os
import resource
import socket
import sys
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


def machine() -> str:
    """Name where the numbers of processes mean the same: this run of the machine, and in it the container.

    Containers that share a file may share a host name, too, and each has a process of the number 1.
    """
    return f"{_boot()} {_container()}"


def has_rebooted(host: str, known: str | None) -> bool:
    """Whether a machine of this host name that is known by another `machine` is this one before it was started anew."""
    return known is not None and host == socket.gethostname() and known.split(" ")[0] != _boot()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()


def _container() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def memory() -> int:
    """Return the bytes of memory that this process uses; where the system doesn't tell, the most that it has used."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * resource.getpagesize()
