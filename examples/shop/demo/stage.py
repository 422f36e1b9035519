"""Where the demo plays: a database of its own, and a real server in another process."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import click
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.schema import CreateSchema, DropSchema

from afterwork.cli.arguments import url_of
from examples.shop import app, create

ROOT = Path(__file__).resolve().parents[3]
"""Where the package `examples` lies."""

SERVER_STARTS_WITHIN = 20
"""Seconds."""

SERVER_STOPS_WITHIN = 40
"""Seconds, a little more than the server's own grace."""


@contextmanager
def stage(database: str | None) -> Iterator[tuple[URL, Engine]]:
    """An installed shop in a fresh database; nothing of it stays, and nothing else there is touched."""
    with _fresh(database) as url:
        engine = engine_for(url)
        try:
            create(engine)
            app.install(engine)
            yield url, engine
        finally:
            engine.dispose()


def engine_for(url: URL) -> Engine:
    """An engine for the demo's own threads. In SQLite one writes at a time, and the others wait for their turn."""
    is_file = url.get_backend_name() == "sqlite"
    return create_engine(url, connect_args={"timeout": 30} if is_file else {})


@contextmanager
def _fresh(database: str | None) -> Iterator[URL]:
    url = None if database is None else url_of(database)
    if url is None:
        with tempfile.TemporaryDirectory(prefix="afterwork-demo-") as folder:
            yield make_url(f"sqlite:///{folder}/shop.db")
    elif url.get_backend_name() == "sqlite":
        yield _new_file(url)
    else:
        with _schema(url) as inside:
            yield inside


def _new_file(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise click.BadParameter("A database in memory can't be shared with a server. Name a file, or none.")
    if Path(url.database).exists():
        raise click.BadParameter(f"{url.database} is there already, and the demo wants a fresh file.")
    return url.set(database=str(Path(url.database).resolve()))


@contextmanager
def _schema(url: URL) -> Iterator[URL]:
    """A schema of its own in a PostgreSQL database, dropped at the end."""
    name = f"afterwork_demo_{uuid4().hex[:8]}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(CreateSchema(name))
    try:
        yield url.update_query_dict({"options": f"-csearch_path={name}"})
    finally:
        with admin.connect() as connection:
            connection.execute(DropSchema(name, cascade=True))
        admin.dispose()


class Server:
    """`afterwork serve` in a process of its own."""

    def __init__(self, url: URL, log: IO[str]) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "afterwork.cli", "serve", "examples.shop:app", "--log-level", "warning"],
            cwd=ROOT,
            # Not as an argument: it may hold a password, and arguments are for all to see.
            env={**os.environ, "AFTERWORK_DATABASE": url.render_as_string(hide_password=False)},
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
        """Wait until it has entered the database, or has ended, or has taken too long."""
        deadline = time.monotonic() + SERVER_STARTS_WITHIN
        while self.is_running and time.monotonic() < deadline and not app.insight(engine).status().servers:
            time.sleep(0.02)

    def stop(self) -> int:
        """Tell it to stop, as a supervisor would, and return its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(SERVER_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def said(self) -> str:
        """What it has logged: warnings and errors."""
        self._log.seek(0)
        return self._log.read().strip()


@contextmanager
def serving(url: URL) -> Iterator[Server]:
    """A server for as long as the block lasts, however it is left."""
    with tempfile.TemporaryFile("w+") as log:
        server = Server(url, log)
        try:
            yield server
        finally:
            server.stop()
