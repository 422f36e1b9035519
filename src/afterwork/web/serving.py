"""Serves the web page in a thread of the process that runs jobs, for as long as the server lives."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from afterwork.web.connections import MAX_HEAD_BYTES, Connections, LimitedConnection, max_connections
from afterwork.web.live import STOPPING

GRACE = 2
"""Seconds that open requests have when the server stops."""


ACCEPTED_AT_ONCE, WAITING_TO_BE_ACCEPTED = 16, 1024
"""The most connections that are taken before those that are too many are ended; others wait in the system's queue."""


class StopSignal:
    """Middleware that hands requests an event which is set when the server stops, so that streams end."""

    def __init__(self, application: ASGIApp) -> None:
        self.stopping = asyncio.Event()
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application({**scope, STOPPING: self.stopping}, receive, send)


class WebServer(uvicorn.Server):
    """A uvicorn server that takes connections a few at a time, and sets this event when it stops."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():  # asyncio has set the length of its queue to what it takes at once
            listener.listen(WAITING_TO_BE_ACCEPTED)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


@contextmanager
def served(application: ASGIApp, host: str, port: int, prefix: str = "", proxies: Sequence[str] = ()) -> Iterator[str]:
    """Serve while the block lasts, and yield the address; with port 0 the system picks a free one.

    `prefix` is the path at which a proxy serves it, and which the proxy strips. `proxies` are addresses and networks of
    proxies, which are believed for whom they forward a request. Raises `OSError` if the address is taken.
    """
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    stop_signal = StopSignal(application)
    config = uvicorn.Config(
        stop_signal, log_config=None, log_level="error", access_log=False, server_header=False, lifespan="off",
        http=partial(LimitedConnection, Connections(max_connections())),  # type: ignore[arg-type]
        h11_max_incomplete_event_size=MAX_HEAD_BYTES, ws="none", backlog=ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=GRACE, proxy_headers=bool(proxies), forwarded_allow_ips=list(proxies),
        root_path=prefix,
    )  # fmt: skip
    server = WebServer(config, stop_signal.stopping)
    thread = threading.Thread(target=server.run, args=([listener],), name="afterwork-web", daemon=True)
    thread.start()
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{name}:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(GRACE + 3)
        listener.close()
