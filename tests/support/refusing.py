"""A program that refuses each connection with a code and a text, as PostgreSQL does it. Prints at which port.

It is a process of its own: libpq keeps all threads of its process from running while it asks whether anybody is there.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refusing(code: str, text: str) -> Iterator[int]:
    """Refuse while the block lasts. Yields the port."""
    with subprocess.Popen([sys.executable, __file__, code, text], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main(code: str, text: str) -> None:
    fields = {"S": "FATAL", "V": "FATAL", "C": code, "M": text}
    said = b"".join(f"{letter}{value}\0".encode() for letter, value in fields.items()) + b"\0"
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        with client:
            client.recv(1000)
            client.sendall(b"E" + (len(said) + 4).to_bytes(4, "big") + said)


if __name__ == "__main__":
    main(*sys.argv[1:])
