"""Applications that are served over HTTP, on a port of this machine that nobody else has."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import uvicorn

from tests.support.waiting import eventually


@contextmanager
def listening() -> Iterator[socket.socket]:
    """Have a socket that listens on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def client_at(listener: socket.socket) -> httpx2.Client:
    """Return a client that keeps cookies, as a browser does."""
    return httpx2.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=30)


@contextmanager
def served_by_uvicorn(application: Any) -> Iterator[httpx2.Client]:
    """Serve an ASGI application, with its lifespan, in a thread. Yields a client of it."""
    config = uvicorn.Config(application, lifespan="on", log_level="warning", timeout_graceful_shutdown=30)
    server = uvicorn.Server(config)
    with listening() as listener, client_at(listener) as client:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            eventually(lambda: server.started)
            yield client
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()
