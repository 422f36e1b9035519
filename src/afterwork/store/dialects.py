"""The parts that depend on the kind of database: the one module that knows both kinds."""

from sqlalchemy import Connection, Engine

from afterwork.errors import UnsupportedDatabase
from afterwork.settings import Settings
from afterwork.store.database import Database
from afterwork.store.journal.capture import Capture
from afterwork.store.journal.entries import Entries
from afterwork.store.journal.key_walk import KeyWalk
from afterwork.store.journal.tracked_table import TrackedTable
from afterwork.store.own_engine import without_begin
from afterwork.store.postgresql.capture import PostgreSQLCapture
from afterwork.store.postgresql.entries import PostgreSQLEntries
from afterwork.store.postgresql.key_walk import PostgreSQLKeyWalk
from afterwork.store.sqlite.capture import SQLiteCapture
from afterwork.store.sqlite.database import SQLite
from afterwork.store.sqlite.entries import SQLiteEntries
from afterwork.store.sqlite.key_walk import SQLiteKeyWalk


def database_of(engine: Engine, settings: Settings) -> Database:
    """Return the database behind an engine. Raises `UnsupportedDatabase` for any but SQLite and PostgreSQL."""
    if not isinstance(engine, Engine):
        raise UnsupportedDatabase(
            f"{type(engine).__name__} is no engine that a server can use. Give it one from sqlalchemy.create_engine, "
            "also where the application itself uses an AsyncEngine."
        )
    match engine.dialect.name, engine.dialect.driver:
        case "sqlite", "pysqlite":
            return SQLite(without_begin(engine), settings)
        case "postgresql", "psycopg":
            # The driver may not be installed where it is not needed.
            from afterwork.store.postgresql.database import PostgreSQL

            return PostgreSQL(engine, settings)
        case name, driver:
            raise UnsupportedDatabase(
                f"Afterwork runs on sqlite:/// and postgresql+psycopg://, not on {name}+{driver}://. "
                "Make an engine with one of them for the server."
            )


def capture_on(connection: Connection) -> Capture:
    """Return the capture for a connection's database."""
    return SQLiteCapture(connection) if connection.dialect.name == "sqlite" else PostgreSQLCapture(connection)


def entries_of(dialect: str) -> Entries:
    """Return the journal's statements for "postgresql" or "sqlite"."""
    return PostgreSQLEntries() if dialect == "postgresql" else SQLiteEntries()


def key_walk_of(connection: Connection, tracked: TrackedTable) -> KeyWalk:
    """Return the walk through the rows of a tracked table."""
    walk = SQLiteKeyWalk if connection.dialect.name == "sqlite" else PostgreSQLKeyWalk
    return walk(connection, tracked)
