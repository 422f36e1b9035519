"""Servers that rest: events tell that one fell asleep before it has looked once more, which it does at once."""

import time

import afterwork as aw
from afterwork.server.health import ITERATION_SECONDS


def rests(app: aw.Afterwork) -> bool:
    """Return whether the app's server is asleep and waits, so that it sends no statement until it is woken."""
    server = app._servers[0][1]
    until = server._pulse._until
    waits_long = until is not None and until - time.monotonic() > ITERATION_SECONDS + 1
    return server._loop._is_asleep and waits_long
