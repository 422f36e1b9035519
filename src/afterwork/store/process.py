"""Processes of this machine, told apart even though their numbers are reused, and the threads of this one."""

import os
import resource
import socket
import sys
import threading
from pathlib import Path


def process_start(process: int) -> float:
    """Return a number for a process's start; -1 without such a process, 0 where the system doesn't tell."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return -1
    except PermissionError:
        pass  # it exists, and belongs to another user
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return -1 if fields[0] == "Z" else float(fields[19])


TASKS = Path("/proc/self/task")
"""The threads of this process, by number, where the system lists them."""


def has_vanished(thread: threading.Thread) -> bool:
    """Return whether a thread ended in C, without a word to Python. False where the system lists no threads."""
    return thread.native_id is not None and not (TASKS / str(thread.native_id)).exists() and TASKS.exists()


def machine() -> str:
    """Identify the scope of process numbers: the current boot of the machine, and within it the container.

    Containers that share a file may also share a host name, and each has a process with the number 1.
    """
    return f"{_boot()} {_container()}"


def has_rebooted(host: str, known: str | None) -> bool:
    """Return whether a known `machine` was this host before its current boot."""
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
    """Return this process's memory in bytes; where the system doesn't tell, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * resource.getpagesize()
