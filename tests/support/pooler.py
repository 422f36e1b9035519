"""A real PgBouncer in front of PostgreSQL, which gives a connection to each transaction, or to each session."""

import getpass
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine
from sqlalchemy.exc import OperationalError

from tests.support.waiting import eventually

PORT = 6432

CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = {own}
auth_type = any
pool_mode = {mode}
ignore_startup_parameters = extra_float_digits
"""


@contextmanager
def pooler(server: URL, mode: str = "transaction") -> Iterator[URL]:
    """The URL of the same database, by way of a pooler. Skips the test where there is no PgBouncer."""
    with tempfile.TemporaryDirectory(prefix="afterwork-pooler-") as name:
        yield from _pooled(server, Path(name), mode)


def _pooled(server: URL, folder: Path, mode: str) -> Iterator[URL]:
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no pgbouncer: apt install pgbouncer")
    host = str(server.query.get("host", server.host))
    given = {"host": host, "port": server.port or 5432, "user": server.username, "folder": folder, "own": PORT}
    given["mode"] = mode
    file = folder / "pgbouncer.ini"
    file.write_text(CONFIGURATION.format(**given))
    process = subprocess.Popen([program, *_as_somebody(folder, host), str(file)], stderr=subprocess.DEVNULL)
    url = server.set(host=None, port=PORT, query={"host": str(folder)})
    try:
        eventually(lambda: _answers(url))
        yield url
    finally:
        process.terminate()
        process.wait()


def _as_somebody(folder: Path, host: str) -> list[str]:
    """PgBouncer does not run as root: then as whom PostgreSQL runs."""
    if getpass.getuser() != "root":
        return []
    owner = Path(host).owner() if host.startswith("/") else "nobody"
    shutil.chown(folder, owner)
    return ["-u", owner]


def _answers(url: URL) -> bool:
    engine = create_engine(url)
    try:
        engine.connect().close()
    except OperationalError:
        return False
    finally:
        engine.dispose()
    return True
