"""The other system: a bookkeeping that takes orders over HTTP and is not always at its best. It knows no shop."""

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
"""How it takes a request: it answers, does so late, says that something went wrong, or takes it and hangs up."""

POLL = 0.02
"""Seconds after which it notices that it is to close."""

RATES = {"EUR": "11.42", "USD": "10.51"}


class Bookkeeping:
    """What it has got: by key, each order, and how often it came."""

    def __init__(self, moods: list[Mood] | None = None) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.came: Counter[str] = Counter()
        self.requests = 0
        self._moods: cycle[Mood] = cycle(moods or ["well"])
        self._lock = threading.Lock()

    def mood(self) -> Mood:
        """How the next request is taken."""
        with self._lock:
            self.requests += 1
            return next(self._moods)

    def take(self, key: str, order: dict[str, Any]) -> None:
        """Book an order. The same one, under the same key, is booked once."""
        with self._lock:
            self.came[key] += 1
            self.orders.setdefault(key, order)

    @property
    def doubles(self) -> int:
        """How often something came that had been booked already."""
        with self._lock:
            return sum(count - 1 for count in self.came.values())


@contextmanager
def open_for_business(bookkeeping: Bookkeeping) -> Iterator[str]:
    """Answer requests while the block lasts, on a free port of this machine. Yields the address."""

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
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(POLL,), name="bookkeeping", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
