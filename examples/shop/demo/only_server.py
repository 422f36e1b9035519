"""The only server of a shop, which may be killed, stopped, and started again."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from examples.shop.demo.stage import Outside, Server, Stage, serving

SHOP = "examples.shop:app"


class OnlyServer:
    """A server of which one process runs at most, each time another one."""

    def __init__(self, at: Stage, outside: Outside) -> None:
        self._at = at
        self._outside = outside
        self._running = ExitStack()
        self._process: Server | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.is_running

    def start(self, *options: str) -> None:
        """Start a process, unless there is one, and wait until it serves."""
        if self._process is None:
            self._process = self._running.enter_context(serving(SHOP, self._at.url, self._outside, *options))
            self._process.wait_until_ready(self._at.engine)

    def stop(self) -> None:
        """Stop the process in order."""
        self._process = None
        self._running.close()

    def kill(self) -> None:
        """End the process as a crash does."""
        if self._process is not None:
            self._process.kill()
        self.stop()


@contextmanager
def only_server(at: Stage, outside: Outside) -> Iterator[OnlyServer]:
    """Run a server of the shop while the block lasts, however often it is started again."""
    server = OnlyServer(at, outside)
    try:
        server.start()
        yield server
    finally:
        server.stop()
