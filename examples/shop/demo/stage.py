"""The stage of the demo: a database of its own, and a real server in another process."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

import click
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.schema import CreateSchema, DropSchema, ExecutableDDLElement

from afterwork.app import application_at
from afterwork.cli.arguments import url_of
from examples.shop import app, create
from examples.shop.integration import ADDRESS, CARRIER, EXPORT_SECONDS
from examples.shop.mail import SMTP_SERVER
from examples.shop.messages import MESSENGER

ROOT = Path(__file__).resolve().parents[3]
"""The folder that contains the package `examples`."""

SERVER_STARTS_WITHIN = 20
"""The longest wait for the server to start, in seconds."""

SERVER_STOPS_WITHIN = 40
"""The longest wait for the server to stop, in seconds: a little more than its own grace."""


class Stage:
    """An installed shop in a fresh database or schema. Nothing else there is touched."""

    def __init__(self, url: URL, removal: str, remove: Callable[[], None]) -> None:
        self.url = url
        self.engine = engine_for(url)
        self.is_kept = False
        """True if the database is kept for inspection. Set when the demo has something to show."""
        self.removal = removal
        """The command that removes it by hand."""
        self._remove = remove

    def close(self) -> None:
        self.engine.dispose()
        if not self.is_kept:
            self._remove()


@contextmanager
def stage(database: str | None, served: str) -> Iterator[Stage]:
    """Yield a stage for a server of the application at an address. Remove it when the block ends, unless it is kept."""
    found = _stage(database)
    try:
        create(found.engine)
        application_at(served).install(found.engine)
        yield found
    finally:
        found.close()


def engine_for(url: URL) -> Engine:
    """Return an engine for the demo's own threads. On SQLite one writes at a time, and others wait their turn."""
    is_file = url.get_backend_name() == "sqlite"
    return create_engine(url, pool_size=10, connect_args={"timeout": 30} if is_file else {})


def _stage(database: str | None) -> Stage:
    url = None if database is None else url_of(database)
    if url is None:
        folder = tempfile.mkdtemp(prefix="afterwork-demo-")
        return Stage(make_url(f"sqlite:///{folder}/shop.db"), f"rm -r {folder}", lambda: shutil.rmtree(folder))
    if url.get_backend_name() == "sqlite":
        file = _new_file(url)
        return Stage(file, f"rm {file.database}", lambda: None)
    return _in_schema(url)


def _new_file(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise click.BadParameter("A database in memory can't be shared with a server. Name a file, or none.")
    if Path(url.database).exists():
        raise click.BadParameter(f"{url.database} is there already, and the demo wants a fresh file.")
    return url.set(database=str(Path(url.database).resolve()))


def _in_schema(url: URL) -> Stage:
    """Return a stage with a schema of its own in a PostgreSQL database."""
    name = f"afterwork_demo_{uuid4().hex[:8]}"

    def say(statement: ExecutableDDLElement) -> None:
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(statement)
        admin.dispose()

    say(CreateSchema(name))
    inside = url.update_query_dict({"options": f"-csearch_path={name}"})
    return Stage(inside, f"DROP SCHEMA {name} CASCADE", lambda: say(DropSchema(name, cascade=True)))


SERVE = [sys.executable, "-m", "afterwork.cli", "serve"]


@dataclass(frozen=True)
class Outside:
    """The addresses of the systems that a server talks to. Without one for mail, it takes what the environment says."""

    bookkeeping: str
    carrier: str
    messenger: str
    mail: str | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables that say so."""
        mail = {} if self.mail is None else {SMTP_SERVER: self.mail}
        return {ADDRESS: self.bookkeeping, CARRIER: self.carrier, MESSENGER: self.messenger, **mail}


class Server:
    """`afterwork serve` in a process of its own. `page` is the address of its web page, HOST:PORT."""

    def __init__(self, served: str, url: URL, log: IO[str], outside: Outside, *options: str) -> None:
        self._log = log
        self.page = f"127.0.0.1:{_free_port()}"
        self._process = subprocess.Popen(
            [*SERVE, served, "--log-level", "warning", "--web", self.page, *options],
            cwd=ROOT,
            # Not as an argument: it may hold a password, and arguments are for all to see.
            env={
                **os.environ,
                "AFTERWORK_DATABASE": url.render_as_string(hide_password=False),
                EXPORT_SECONDS: "3",
                **outside.environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    @property
    def process(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self, engine: Engine) -> None:
        """Wait until the server is registered in the database, has ended, or has taken too long."""
        deadline = time.monotonic() + SERVER_STARTS_WITHIN
        while self.is_running and time.monotonic() < deadline and not app.insight(engine).status().servers:
            time.sleep(0.02)

    def stop(self) -> int:
        """Stop the server as a supervisor would, and return its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(SERVER_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def kill(self) -> None:
        """End the server as a crash does: it stops nothing in order."""
        self._process.kill()
        self._process.wait()

    def said(self) -> str:
        """Return the server's log: warnings and errors."""
        self._log.seek(0)
        return self._log.read().strip()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@contextmanager
def serving(served: str, url: URL, outside: Outside, *options: str) -> Iterator[Server]:
    """Run a server of an application while the block lasts, however it is left. It talks to these systems."""
    with tempfile.TemporaryFile("w+") as log:
        server = Server(served, url, log, outside, *options)
        try:
            yield server
        finally:
            server.stop()
