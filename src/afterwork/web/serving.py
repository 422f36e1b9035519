"""Serving the web page from the process that runs jobs: in a thread of its own, for as long as the server lives."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

GRACE = 2
"""Seconds that visitors have to end what they ask when the server stops."""


@contextmanager
def served(application: ASGIApp, host: str, port: int, prefix: str = "") -> Iterator[str]:
    """Serve for as long as the block lasts. Gives the address; with port 0 the system picks a free one. `prefix` is the
    path at which a proxy shows it, and which that takes away from what it passes on.

    Raises `OSError` if the address can't be had.
    """
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    config = uvicorn.Config(
        application, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=GRACE,
        proxy_headers=True, lifespan="off", root_path=prefix,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="afterwork-web", daemon=True)
    thread.start()
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{name}:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(GRACE + 3)
        listener.close()
