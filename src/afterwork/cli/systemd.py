"""Notifications to systemd: `afterwork serve` sends them if a unit of `Type=notify` has started it."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Engine

from afterwork.app import Afterwork
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


ADDRESS, WATCHDOG, WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
"""The environment variables of systemd: its socket, the watchdog's period in microseconds, and the watched process."""


@contextmanager
def reporting_to_systemd(app: Afterwork, engine: Engine, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Report to systemd while the block lasts: readiness, state, and a sign of life if it wants one."""
    address = environment.get(ADDRESS)
    if not address:
        yield
        return
    systemd = Systemd(address)
    app.events = app.events.also(systemd)
    with beating(systemd, _seconds(environment), lambda: all(sign.good for sign in app.loops(engine))):
        yield


def _seconds(environment: Mapping[str, str]) -> float | None:
    """Return the seconds in which systemd expects a sign of life of this process, None if it does not."""
    microseconds, whose = environment.get(WATCHDOG, ""), environment.get(WATCHED, "")
    is_ours = not whose or whose == str(os.getpid())
    return int(microseconds) / 1e6 if is_ours and microseconds.isdigit() else None
