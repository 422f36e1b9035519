"""A system that takes connections, and says nothing."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


class SilentSystem:
    """Whoever calls it is connected, and waits for an answer until it hangs up."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    @property
    def address(self) -> str:
        """Where it is called: HOST:PORT."""
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def hang_up(self) -> None:
        """End all calls. Whoever waits is told so."""
        self._listener.setblocking(False)
        while True:
            try:
                caller, _ = self._listener.accept()
            except BlockingIOError:
                return
            caller.close()


@contextmanager
def saying_nothing() -> Iterator[SilentSystem]:
    """Take calls on a free port of this machine while the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = SilentSystem(listener)
        try:
            yield silent
        finally:
            silent.hang_up()
