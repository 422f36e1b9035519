"""Proxies in front of PostgreSQL that do to a connection what networks do: cut it in the middle of a commit, or let
nothing through any more without closing it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from sqlalchemy import URL

COMMIT = b"COMMIT\0"
LISTEN = b"LISTEN "
SOCKET = ".s.PGSQL.5432"

Moment = Literal["before the commit", "after the commit"]


class Proxy:
    """Passes all through. A context, at whose end all connections are cut."""

    def __init__(self, upstream: URL, folder: Path) -> None:
        self._upstream = upstream
        self._folder = folder
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        self._ends: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def url(self) -> URL:
        """The database as it is reached through the proxy."""
        query = {"host": str(self._folder), "sslmode": "disable", "gssencmode": "disable"}
        return self._upstream.set(host=None, port=None, query=query)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in self._ends:
            hang_up(end)
        for thread in self._threads:
            thread.join()

    def hang_up(self) -> None:
        """Cut all connections that there are."""
        for end in self._ends[1:]:
            hang_up(end)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    # Each end is closed by the one thread that reads from it; all others only hang up.

    def _accept(self) -> None:
        with self._listener:
            while True:
                try:
                    client, _ = self._listener.accept()
                except OSError:
                    return
                try:
                    database = self._connect()
                except OSError:
                    client.close()  # the database is away
                    continue
                self._ends += [client, database]
                self._start(self._pass_requests, client, database)
                self._start(self._pass_answers, database, client)

    def _connect(self) -> socket.socket:
        url = self._upstream
        host = url.host or url.query.get("host", "localhost")
        assert isinstance(host, str)
        if host.startswith("/"):
            made = socket.socket(socket.AF_UNIX)
            try:
                made.connect(f"{host}/.s.PGSQL.{url.port or url.query.get('port', 5432)}")
            except OSError:
                made.close()
                raise
            return made
        return socket.create_connection((host, url.port or 5432))

    def _pass_requests(self, client: socket.socket, database: socket.socket) -> None:
        with client:
            for data in received(client):
                sent(database, data)
        hang_up(database)

    def _pass_answers(self, database: socket.socket, client: socket.socket) -> None:
        with database:
            for data in received(database):
                sent(client, data)
        hang_up(client)


class CuttingProxy(Proxy):
    """Passes all through, but once: the first commit of a transaction in which the client sent `marker` is cut off,
    before the database has got it, or after it but before its answer has come back."""

    def __init__(self, upstream: URL, folder: Path, moment: Moment, marker: bytes) -> None:
        self._moment = moment
        self._marker = marker
        self.cut = threading.Event()
        """Set when the connection has been cut."""
        super().__init__(upstream, folder)

    def _pass_requests(self, client: socket.socket, database: socket.socket) -> None:
        marked = False
        with client:
            for data in received(client):
                marked = marked or self._marker in data
                if marked and COMMIT in data and not self.cut.is_set():
                    self._cut(client, database, data)
                    return
                sent(database, data)
        hang_up(database)

    def _cut(self, client: socket.socket, database: socket.socket, data: bytes) -> None:
        # The answer must not come through, so the client is cut off before the database gets anything.
        hang_up(client)
        if self._moment == "after the commit":
            sent(database, data)
            database.shutdown(socket.SHUT_WR)
        else:
            hang_up(database)
        self.cut.set()


class SilentProxy(Proxy):
    """Passes all through until `silent` is set. From then on nothing comes through to a client that has listened, and
    nobody tells it so: its connection is half open."""

    def __init__(self, upstream: URL, folder: Path) -> None:
        self.silent = threading.Event()
        self._listening: set[socket.socket] = set()
        super().__init__(upstream, folder)

    def give_up(self) -> None:
        """Close what is half open, as the system does after minutes, and be silent no more."""
        self.silent.clear()
        for client in self._listening:
            hang_up(client)

    def _pass_requests(self, client: socket.socket, database: socket.socket) -> None:
        with client:
            for data in received(client):
                if LISTEN in data:
                    self._listening.add(client)
                sent(database, data)
        hang_up(database)

    def _pass_answers(self, database: socket.socket, client: socket.socket) -> None:
        with database:
            for data in received(database):
                if not (self.silent.is_set() and client in self._listening):
                    sent(client, data)
        hang_up(client)


def received(end: socket.socket) -> Iterator[bytes]:
    """What comes in, until the other side hangs up."""
    while True:
        try:
            data = end.recv(65536)
        except OSError:
            return
        if not data:
            return
        yield data


def sent(end: socket.socket, data: bytes) -> None:
    """Send, unless the other side has hung up."""
    with suppress(OSError):
        end.sendall(data)


def hang_up(end: socket.socket) -> None:
    """Shut a connection down, which ends the waits of other threads on it, too."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
