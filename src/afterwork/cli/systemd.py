"""Notifications of `afterwork serve` to systemd, if a unit of `Type=notify` has started it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Engine

from afterwork.app import Afterwork
from afterwork.server.notify import Systemd, beating

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
