"""An append-only file in which several processes write down what they do, each line with its process and its moment.

The clock is the machine's monotonic one, so that moments of different processes can be compared.
"""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

END = "\x1e"
"""Ends a line that is whole. A process that is killed may leave a part of one, as far as a page of memory goes."""


class Journal:
    """The file. A line is written by one system call, so lines of several processes don't mix."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[dict[str, Any]] = []
        self._read = 0
        self._descriptor = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)

    def note(self, what: str, **facts: Any) -> float:
        """Write a line. Returns its moment."""
        at = time.monotonic()
        line = {"at": at, "process": os.getpid(), "thread": threading.get_ident(), "what": what, **facts}
        os.write(self._descriptor, f"\n{json.dumps(line, default=repr)}{END}".encode())
        return at

    def lines(self, what: str | None = None, **facts: Any) -> list[dict[str, Any]]:
        """The lines so far, or those that say `what` and have these facts, in the order in which they were written."""
        self._read_on()
        wanted = facts if what is None else {"what": what, **facts}
        return [line for line in self._lines if all(line.get(name) == value for name, value in wanted.items())]

    def _read_on(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(END.encode()) + 1]
        self._read += len(whole)
        self._lines += [json.loads(line[:-1]) for line in whole.decode().split("\n") if line.endswith(END)]

    def close(self) -> None:
        os.close(self._descriptor)
