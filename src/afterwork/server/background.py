"""Running a server in a thread while a block lasts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from afterwork.errors import AfterworkError
from afterwork.events import Broken, Events
from afterwork.server.server import Server

FAREWELL_SECONDS = 5.0
"""The time that a server has to leave its database once its jobs have ended. A slower one is left behind."""


@contextmanager
def in_background(server: Server, grace: timedelta, events: Events) -> Iterator[None]:
    """Run a server while the block lasts. Raise its exception if it can't start or fails meanwhile."""
    failure: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="afterwork-server", daemon=True)
    thread.start()
    try:
        while not server.wait_until_ready(0.01) and thread.is_alive():
            pass
        if failure:
            raise failure[0]
        yield
    finally:
        server.stop()
        _wait_for(thread, grace, events)
    if failure:
        raise AfterworkError("The server in the background has failed.") from failure[0]


def _wait_for(thread: threading.Thread, grace: timedelta, events: Events) -> None:
    """Wait for a server that was told to stop, unless it waits forever for its database."""
    thread.join(grace.total_seconds() + FAREWELL_SECONDS)
    if thread.is_alive():
        events.emit(Broken("stopping the server", TimeoutError("The database does not answer.")))
