"""The parts that depend on the kind of database, chosen by its dialect."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, Dialect, Engine
from sqlalchemy.orm import Session, scoped_session

from afterwork.errors import UnsupportedDatabase
from afterwork.settings import Settings
from afterwork.store.caches.manifests import ManifestStore
from afterwork.store.caches.statements import CacheStatements, ColumnWriter
from afterwork.store.database import Database
from afterwork.store.joined import Joined
from afterwork.store.journal.capture import Capture
from afterwork.store.journal.commit_triggers import CommitTriggers
from afterwork.store.journal.entries import Entries
from afterwork.store.journal.key_walk import KeyWalk
from afterwork.store.journal.refresh import RefreshPlan, SetRefresh
from afterwork.store.journal.touch_values import TouchValues
from afterwork.store.journal.tracked_table import TrackedTable
from afterwork.store.locking import Locks
from afterwork.store.postgresql.caches import PostgreSQLCacheStatements, PostgreSQLColumnWriter
from afterwork.store.postgresql.capture import PostgreSQLCapture
from afterwork.store.postgresql.commit_triggers import PostgreSQLCommitTriggers
from afterwork.store.postgresql.entries import PostgreSQLEntries, PostgreSQLKeyWalk
from afterwork.store.postgresql.locking import PostgreSQLLocks
from afterwork.store.postgresql.manifests import PostgreSQLManifestStore
from afterwork.store.postgresql.refresh import postgresql_refresh
from afterwork.store.postgresql.touch_values import PostgreSQLTouchValues
from afterwork.store.sqlite.caches import SQLiteCacheStatements
from afterwork.store.sqlite.capture import SQLiteCapture
from afterwork.store.sqlite.commit_triggers import SQLiteCommitTriggers
from afterwork.store.sqlite.database import SQLite
from afterwork.store.sqlite.entries import SQLiteEntries, SQLiteKeyWalk
from afterwork.store.sqlite.joined import JoinedSQLite
from afterwork.store.sqlite.last_change import sqlite_refresh
from afterwork.store.sqlite.locking import SQLiteLocks
from afterwork.store.sqlite.manifests import SQLiteManifestStore
from afterwork.store.sqlite.own_engine import without_begin
from afterwork.store.sqlite.touch_values import SQLiteTouchValues
from afterwork.store.tenant_schema import in_tenant_schema, refuse_translation


def database_of(engine: Engine, settings: Settings) -> Database:
    """Return the database behind an engine. Raises `UnsupportedDatabase` for any but SQLite and PostgreSQL."""
    if not isinstance(engine, Engine):
        raise no_engine(engine)
    match engine.dialect.name, engine.dialect.driver:
        case "sqlite", "pysqlite":
            refuse_translation(engine.get_execution_options())
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


def no_engine(given: object) -> UnsupportedDatabase:
    """Return the error about what was given for an engine."""
    what = f"{type(given).__name__} is no engine that a server can use."
    if hasattr(given, "run_sync"):  # an AsyncConnection or AsyncSession
        how = "What takes a Connection is called by: await connection.run_sync(app.install)"
    elif hasattr(given, "sync_engine"):
        how = (
            "Give it one from sqlalchemy.create_engine, also where the application itself uses an AsyncEngine. What "
            "takes a Connection, as app.install does, is called by: await connection.run_sync(app.install)"
        )
    elif isinstance(given, Session | scoped_session):
        how = "Give its engine, session.get_bind(), or, to what takes a Connection, session.connection()."
    elif isinstance(given, str | URL):
        how = "Make one of the URL: sqlalchemy.create_engine(url)"
    else:
        how = "Give it one from sqlalchemy.create_engine."
    return UnsupportedDatabase(f"{what} {how}")


@contextmanager
def database_behind(connection: Connection, settings: Settings) -> Iterator[Database]:
    """Provide the database of somebody else's connection, for what the block does there.

    Any driver serves, also one below an async connection. Raises `UnsupportedDatabase`.
    """
    if not isinstance(connection, Connection):
        raise no_engine(connection)
    match connection.dialect.name:
        case "sqlite":
            yield SQLite(connection.engine, settings)
        case "postgresql":
            from afterwork.store.postgresql.database import PostgreSQL

            with in_tenant_schema(connection):
                yield PostgreSQL(connection.engine, settings)
        case name:
            raise UnsupportedDatabase(f"Afterwork runs on SQLite and PostgreSQL, not on {name}.")


def database_joined(connection: Connection, settings: Settings) -> Joined:
    """Return the database inside the open transaction of somebody else's connection, where a server's own transactions
    are savepoints. Raises `UnsupportedDatabase`."""
    match connection.dialect.name:
        case "sqlite":
            return JoinedSQLite(connection, settings)
        case "postgresql":
            from afterwork.store.postgresql.joined import JoinedPostgreSQL

            return JoinedPostgreSQL(connection, settings)
        case name:
            raise UnsupportedDatabase(f"Afterwork runs on SQLite and PostgreSQL, not on {name}.")


def capture_on(connection: Connection) -> Capture:
    return SQLiteCapture(connection) if connection.dialect.name == "sqlite" else PostgreSQLCapture(connection)


def commit_triggers_on(connection: Connection) -> CommitTriggers:
    is_sqlite = connection.dialect.name == "sqlite"
    return SQLiteCommitTriggers(connection) if is_sqlite else PostgreSQLCommitTriggers(connection)


def entries_of(dialect: str) -> Entries:
    return PostgreSQLEntries() if dialect == "postgresql" else SQLiteEntries()


def manifest_store_of(dialect: str) -> ManifestStore:
    return PostgreSQLManifestStore() if dialect == "postgresql" else SQLiteManifestStore()


def cache_statements_of(dialect: str) -> CacheStatements:
    return PostgreSQLCacheStatements() if dialect == "postgresql" else SQLiteCacheStatements()


def column_writer_of(dialect: str) -> type[ColumnWriter]:
    return PostgreSQLColumnWriter if dialect == "postgresql" else ColumnWriter


def locks_of(dialect: str) -> Locks:
    return PostgreSQLLocks() if dialect == "postgresql" else SQLiteLocks()


def key_walk_of(connection: Connection, tracked: TrackedTable) -> KeyWalk:
    walk = SQLiteKeyWalk if connection.dialect.name == "sqlite" else PostgreSQLKeyWalk
    return walk(connection, tracked)


def refresh_of(plan: RefreshPlan, dialect: str) -> SetRefresh:
    """Return what refreshes a derived member in "postgresql" or "sqlite"."""
    return postgresql_refresh(plan) if dialect == "postgresql" else sqlite_refresh(plan)


def touch_values_of(dialect: Dialect) -> TouchValues:
    return PostgreSQLTouchValues() if dialect.name == "postgresql" else SQLiteTouchValues(dialect)
