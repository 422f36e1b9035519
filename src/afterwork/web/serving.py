"""Serves the web page in a thread of the process that runs jobs, for as long as the server lives."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from afterwork.web.live import STOPPING

GRACE = 2
"""Seconds that open requests have when the server stops."""


class StopSignal:
    """Middleware that hands requests an event which is set when the server stops, so that streams end."""

    def __init__(self, application: ASGIApp) -> None:
        self.stopping = asyncio.Event()
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application({**scope, STOPPING: self.stopping}, receive, send)


class WebServer(uvicorn.Server):
    """A uvicorn server that sets this event when it stops."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


@contextmanager
def served(application: ASGIApp, host: str, port: int, prefix: str = "") -> Iterator[str]:
    """Serve while the block lasts, and yield the address; with port 0 the system picks a free one.

    `prefix` is the path at which a proxy serves it, and which the proxy strips. Raises `OSError` if the address is
    taken.
    """
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    stop_signal = StopSignal(application)
    config = uvicorn.Config(
        stop_signal, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=GRACE,
        proxy_headers=True, lifespan="off", root_path=prefix,
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
