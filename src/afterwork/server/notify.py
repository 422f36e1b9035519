"""Reporting the state of a server to systemd, for units of `Type=notify`."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from afterwork.events import DatabaseBack, DatabaseLost, Event, ServerStarted, ServerStopping

BEATS_PER_TIMEOUT = 3
"""Signs of life within the time for which systemd waits for one."""


@dataclass(frozen=True)
class Systemd:
    """A listener that reports the unit's state to systemd. `address` is where systemd listens: a path, or a name that
    begins with @."""

    address: str

    def __call__(self, event: Event) -> None:
        match event:
            case ServerStarted(server, database):
                self.tell("READY=1", f"STATUS=Server {server} on {database}")
            case ServerStopping():
                # A status only: it continues at once if it was merely told to read its files of jobs again.
                self.tell("STATUS=Stopping: no more jobs begin, those that run are let end")
            case DatabaseLost():
                self.tell("STATUS=The database can't be reached. Waiting for it")
            case DatabaseBack():
                self.tell("STATUS=The database is back")
            case _:
                pass

    def tell(self, *lines: str) -> None:
        """Send lines to systemd; see `man sd_notify`."""
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        # Jobs continue, whether this reaches systemd or not.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto("\n".join(lines).encode(), address)


@contextmanager
def beating(systemd: Systemd, seconds: float | None, is_well: Callable[[], bool]) -> Iterator[None]:
    """Report that all is well while the block lasts, in time for a watchdog of `seconds`; None: no watchdog."""
    stop = threading.Event()

    def beat(every: float) -> None:
        while not stop.wait(every):
            if is_well():
                systemd.tell("WATCHDOG=1")

    if seconds is None:
        yield
        return
    thread = threading.Thread(target=beat, args=[seconds / BEATS_PER_TIMEOUT], name="afterwork-watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
