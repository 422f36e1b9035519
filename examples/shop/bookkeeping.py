"""The other system: bookkeeping that takes orders over HTTP, not always reliably. It knows nothing of the shop."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any, Literal

Mood = Literal["well", "slow", "error", "drops"]
"""The treatment of a request: answer, answer late, report an error, or accept it and hang up."""

POLL = 0.02
"""The interval at which it checks whether to close, in seconds."""

RATES = {"EUR": "11.42", "USD": "10.51"}


class Bookkeeping:
    """The orders that it has received, by key, and how often each came."""

    def __init__(self, moods: list[Mood] | None = None) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.came: Counter[str] = Counter()
        self.requests = 0
        self._moods: cycle[Mood] = cycle(moods or ["well"])
        self._lock = threading.Lock()

    def mood(self) -> Mood:
        """Return the treatment of the next request."""
        with self._lock:
            self.requests += 1
            return next(self._moods)

    @contextmanager
    def in_mood(self, mood: Mood) -> Iterator[None]:
        """Treat all requests alike while the block lasts."""
        usual, self._moods = self._moods, cycle([mood])
        try:
            yield
        finally:
            self._moods = usual

    def take(self, key: str, order: dict[str, Any]) -> None:
        """Book an order. If the same key comes again, it is booked only once."""
        with self._lock:
            self.came[key] += 1
            self.orders.setdefault(key, order)

    @property
    def doubles(self) -> int:
        """The number of requests for something that was booked already."""
        with self._lock:
            return sum(count - 1 for count in self.came.values())


@contextmanager
def open_for_business(bookkeeping: Bookkeeping) -> Iterator[str]:
    """Answer requests on a free port of this machine while the block lasts. Yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(RATES, bookkeeping.mood())

        def do_POST(self) -> None:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            mood = bookkeeping.mood()
            if mood != "error":
                bookkeeping.take(self.headers["Idempotency-Key"], order)
            self._answer({"booked": True}, mood)

        def _answer(self, content: object, mood: Mood) -> None:
            if mood == "drops":
                self.close_connection = True
                return
            if mood == "slow":
                time.sleep(0.05)
            data = json.dumps(content).encode()
            self.send_response(500 if mood == "error" else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(POLL,), name="bookkeeping", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
