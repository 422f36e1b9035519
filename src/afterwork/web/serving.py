"""Serving the web page from the process that runs jobs: in a thread of its own, for as long as the server lives."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from afterwork.web.live import STOPPING

GRACE = 2
"""Seconds that visitors have to end what they ask when the server stops."""


class Told:
    """An application that is told when its server stops, so that it lets those go who only listen."""

    def __init__(self, application: ASGIApp) -> None:
        self.stopping = asyncio.Event()
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application({**scope, STOPPING: self.stopping}, receive, send)


class WebServer(uvicorn.Server):
    """Tells its application when it stops."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


@contextmanager
def served(application: ASGIApp, host: str, port: int, prefix: str = "") -> Iterator[str]:
    """Serve for as long as the block lasts. Gives the address; with port 0 the system picks a free one. `prefix` is the
    path at which a proxy shows it, and which that takes away from what it passes on.

    Raises `OSError` if the address can't be had.
    """
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    told = Told(application)
    config = uvicorn.Config(
        told, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=GRACE,
        proxy_headers=True, lifespan="off", root_path=prefix,
    )  # fmt: skip
    server = WebServer(config, told.stopping)
    thread = threading.Thread(target=server.run, args=([listener],), name="afterwork-web", daemon=True)
    thread.start()
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{name}:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(GRACE + 3)
        listener.close()
