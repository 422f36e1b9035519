"""Clients that have shown nothing yet, and need not mean well: raw connections, from any address of this machine."""

import socket
from contextlib import suppress
from urllib.parse import urlsplit
from urllib.request import urlopen

HALF = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
"""Half a request."""


def connected(address: str, sender: str = "127.0.0.1", sent: bytes = b"") -> socket.socket:
    """A connection to a page from an address, on which something was sent."""
    where = urlsplit(address)
    connection = socket.create_connection((where.hostname, where.port), timeout=30, source_address=(sender, 0))
    connection.sendall(sent)
    return connection


def answer(connection: socket.socket) -> bytes:
    """What the server says until it closes the connection. That is closed here, too."""
    said = b""
    with connection, suppress(ConnectionResetError):
        while some := connection.recv(65536):
            said += some
    return said


def is_open(connection: socket.socket) -> bool:
    """Whether the server has neither said anything nor closed the connection."""
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        connection.settimeout(30)


def is_refused(connection: socket.socket, sent: bytes) -> bool:
    """Send something. Whether the server has closed the connection."""
    try:
        connection.sendall(sent)
    except OSError:
        return True
    return False


def lives(address: str) -> bool:
    with urlopen(f"{address}livez") as said:
        return bool(said.status == 200)
