"""The connections of our own server: how many there may be, and how long each may keep it waiting.

All of it holds before anybody has said who they are. A connection that waits for its client costs a file and some
memory; so the server ends those that wait for too long, and, if there are too many, those that have waited longest.
"""

import asyncio
import resource
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from afterwork.web.clients import client_of_address

HEAD_SECONDS = 5.0
"""Seconds that a client has to send the head of a request, also of a later one."""

TAKE_SECONDS = 30.0
"""Seconds in which a client must take something of what was sent to it."""

MAX_HEAD_BYTES = 16 * 1024
"""The most bytes of a request's line and headers."""

MAX_CONNECTIONS = 500

SHARE_OF_FILES = 4
"""Connections may take one in so many of the files that the process may have open: jobs and databases need others."""


def max_connections() -> int:
    """Return how many connections this process can have open without harm to anything else in it."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files < 0 else min(MAX_CONNECTIONS, max(1, files // SHARE_OF_FILES))


class Connections:
    """The open connections of a server, the oldest first. A new one is let in, and may cost another its place."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[LimitedConnection, str] = {}

    def enter(self, connection: "LimitedConnection", client: str) -> None:
        self._open[connection] = client
        if len(self._open) > self._most:
            self._one_too_many().end()

    def leave(self, connection: "LimitedConnection") -> None:
        self._open.pop(connection, None)

    def _one_too_many(self) -> "LimitedConnection":
        """Return a connection of the client that has most: the one that has kept the server waiting for longest, or,
        if all are at work, the newest."""
        counts = Counter(self._open.values())
        greediest = max(counts.values())
        own = [connection for connection, client in self._open.items() if counts[client] == greediest]
        return next((connection for connection in own if connection.waits_for_client), own[-1])


class LimitedConnection(H11Protocol):
    """A connection of uvicorn's that ends if its client keeps it waiting: for a head, or by not taking an answer."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def waits_for_client(self) -> bool:
        """Return whether nothing can be done before the client sends more: it has sent no request, or half of one."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def end(self) -> None:
        """Close the connection at once, whatever has not been sent."""
        self._connections.leave(self)
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._end_after(HEAD_SECONDS)
        self._connections.enter(self, client_of_address(self.client[0] if self.client else ""))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete and not self.flow.write_paused:
            self._end_after(None)

    def on_response_complete(self) -> None:
        super().on_response_complete()  # which may begin the next request, if it has come already
        if self.cycle.response_complete:
            self._end_after(TAKE_SECONDS if self.transport.get_write_buffer_size() else HEAD_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._end_after(TAKE_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_after(HEAD_SECONDS if self.cycle.response_complete else None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_after(None)
        self._connections.leave(self)
        super().connection_lost(exc)

    def _end_after(self, seconds: float | None) -> None:
        """Set the time after which the connection ends, in place of the one that was set before."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self.end)
