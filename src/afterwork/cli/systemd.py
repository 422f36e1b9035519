"""What `afterwork serve` tells systemd, where a unit of `Type=notify` has started it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Engine

from afterwork.app import Afterwork
from afterwork.server.notify import Systemd, beating

ADDRESS, WATCHDOG, WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
"""The environment variables of systemd: where it listens, how long it waits for a sign of life, and of whom."""


@contextmanager
def reporting_to_systemd(app: Afterwork, engine: Engine, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """While the block lasts, say when the server is ready and how it fares; and that it lives, if that is wanted."""
    address = environment.get(ADDRESS)
    if not address:
        yield
        return
    systemd = Systemd(address)
    app.events = app.events.also(systemd)
    with beating(systemd, _seconds(environment), lambda: all(sign.good for sign in app.loops(engine))):
        yield


def _seconds(environment: Mapping[str, str]) -> float | None:
    """How long systemd waits for a sign of life of this process; None if it does not."""
    microseconds, whose = environment.get(WATCHDOG, ""), environment.get(WATCHED, "")
    is_ours = not whose or whose == str(os.getpid())
    return int(microseconds) / 1e6 if is_ours and microseconds.isdigit() else None
