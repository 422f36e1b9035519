"""SQLite: a single writer at a time, and servers on one machine.

A known recipe for SQLite has a listener that sends BEGIN, or BEGIN IMMEDIATE, whenever SQLAlchemy begins something. A
server begins its transactions itself, each of the kind that it needs. With the recipe, it would hold an old state of
the database, or the lock of the single writer, wherever it only reads. So it has an engine of its own.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, literal
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError

from afterwork.errors import StateHasChanged, UnsupportedDatabase
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.settings import Settings
from afterwork.store.database import Database
from afterwork.store.process import has_rebooted, machine, process_start
from afterwork.store.server_rows import ServerRow
from afterwork.store.sqlite.column import SQLiteColumns
from afterwork.store.sqlite.file_fairness import FileFairness
from afterwork.store.sqlite.waker import FileWaker
from afterwork.store.waker import Waker


def without_begin(engine: Engine) -> Engine:
    """Return an engine without listeners for the beginning of transactions. It is this one, or one with the same
    connections and all other listeners. Raises `UnsupportedDatabase` if they listen to all engines."""
    if not _begins(engine):
        return engine
    own = Engine(
        engine.pool,
        engine.dialect,
        engine.url,
        execution_options=dict(engine.get_execution_options()),
        hide_parameters=engine.hide_parameters,
    )
    own._has_events = engine._has_events
    _copy_listeners(_plain(engine).dispatch, own.dispatch)
    if _begins(own):
        raise UnsupportedDatabase(
            'A listener to "begin" is attached to the class Engine, and begins transactions of servers, too. '
            "Attach it to the application's own engine: event.listen(engine, ...)."
        )
    return own


def _begins(engine: Engine) -> bool:
    return len(list(engine.dispatch.begin)) > 0


def _copy_listeners(source: Any, target: Any) -> None:
    for name in set(source._event_names) - {"begin"}:
        if listeners := getattr(source, name).listeners:  # without those of the class, which listen to all engines
            getattr(target, name).for_modify(target).listeners.extend(listeners)


def _plain(engine: Engine) -> Engine:
    """Return the engine behind those with their own options."""
    return _plain(engine._proxied) if isinstance(engine, OptionEngine) else engine


BUSY = {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_TIMEOUT", "SQLITE_LOCKED"}
UNREACHABLE = {"SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_NOTADB"}


RETRY_SECONDS = 0.001
"""The seconds between attempts to begin a transaction while another process writes."""

LAST_CHANGE = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'afterwork_journal'), 0)"
"""The number of the last change identifies the changes seen, since SQLite has a single writer at a time."""


class SQLite(Database):
    """A SQLite file, or a database in memory."""

    dialect = "sqlite"
    has_one_writer = True
    # A transaction that reads first and writes later can be refused at once, whatever the time-out (traps, 13).
    begin = "BEGIN IMMEDIATE"

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(engine, settings)
        self.columns = SQLiteColumns()
        self._fairness = FileFairness()

    @contextmanager
    def transaction(self, connection: Connection, first: Sequence[str] = ()) -> Iterator[None]:
        with self._fairness.taken(connection), super().transaction(connection, first):
            yield

    def execute_begin(self, connection: Connection, first: Sequence[str] = ()) -> None:
        """Begin as soon as no other process writes. SQLite's own waiting polls ever more rarely."""
        self._open(connection)
        cursor = connection.connection.cursor()
        until = time.monotonic() + self.settings.lock_limit.total_seconds()
        self._set_patience(cursor, 0)
        try:
            while not self._begins(cursor):
                if time.monotonic() > until:
                    connection.exec_driver_sql(self.begin)  # raises the error, if it persists
                    break
                time.sleep(RETRY_SECONDS)
            self._fairness.begun()
        finally:
            self._set_patience(cursor, self.settings.lock_limit.total_seconds())
            cursor.close()

    def _open(self, connection: Connection) -> None:
        """Begin a transaction in SQLAlchemy's view. If the application shares its one connection with the server, this
        ends a transaction of its own that is still open."""
        if not connection.in_transaction():
            connection.begin()
        driver = connection.connection.dbapi_connection
        if driver is not None and driver.in_transaction:
            driver.rollback()

    def _begins(self, cursor: DBAPICursor) -> bool:
        # Not through SQLAlchemy: after a refusal it would have to roll back, which has a meaning for a run (RUNNING).
        try:
            cursor.execute(self.begin)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname not in BUSY:
                raise
            return False
        return True

    def _set_patience(self, cursor: DBAPICursor, seconds: float) -> None:
        cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def prepare(self, connection: Connection) -> None:
        _pragma(connection, f"PRAGMA busy_timeout = {int(self.settings.lock_limit.total_seconds() * 1000)}")
        connection.commit()

    def be_impatient(self, connection: Connection) -> None:
        _pragma(connection, "PRAGMA busy_timeout = 0")
        _pragma(connection, "PRAGMA synchronous = NORMAL")

    def be_brief(self, connection: Connection) -> None:
        """Do nothing: readers don't wait here."""

    def is_in_transaction(self, connection: Connection) -> bool:
        return bool(connection.connection.dbapi_connection.in_transaction)  # type: ignore[union-attr]

    def interrupt(self, driver: Any) -> bool:
        driver.interrupt()
        return True

    def absorb(self, connection: Connection, driver: Any) -> None:
        pass  # without a running statement, nothing is cancelled

    def cut(self, driver: Any) -> None:
        with suppress(sqlite3.Error):
            driver.interrupt()
            driver.rollback()
            driver.close()
        self._fairness.take_from(driver)

    def says_unreachable(self, error: DBAPIError) -> bool:
        return _name(error) in UNREACHABLE

    def is_contended(self, error: BaseException) -> bool:
        return isinstance(error, StateHasChanged) or (isinstance(error, DBAPIError) and _name(error) in BUSY)

    @contextmanager
    def reading_only(self, connection: Connection) -> Iterator[None]:
        _pragma(connection, "PRAGMA query_only = ON")
        try:
            yield
        finally:
            _pragma(connection, "PRAGMA query_only = OFF")

    @contextmanager
    def light_transaction(self, connection: Connection, first: Sequence[str]) -> Iterator[None]:
        before = _pragma(connection, "PRAGMA synchronous")
        _pragma(connection, "PRAGMA synchronous = NORMAL")
        try:
            with self.transaction(connection, first):
                yield
        finally:
            _pragma(connection, f"PRAGMA synchronous = {before}")

    @contextmanager
    def light_watched_transaction(self, connection: Connection, first: Sequence[str]) -> Iterator[Any]:
        with self.light_transaction(connection, first):
            yield connection.exec_driver_sql(LAST_CHANGE).scalar_one()

    @contextmanager
    def reading_part(self, connection: Connection) -> Iterator[None]:
        with self.reading_only(connection):
            yield

    @contextmanager
    def light_statement(self, connection: Connection) -> Iterator[None]:
        with self.light_transaction(connection, ()):
            yield

    @contextmanager
    def snapshot(self, connection: Connection) -> Iterator[Any]:
        _pragma(connection, "PRAGMA query_only = ON")
        self._open(connection)
        connection.exec_driver_sql("BEGIN")
        try:
            yield connection.exec_driver_sql(LAST_CHANGE).scalar_one()
        finally:
            self.give_up(connection)
            _pragma(connection, "PRAGMA query_only = OFF")

    @contextmanager
    def watched_transaction(self, connection: Connection) -> Iterator[Any]:
        with self.transaction(connection):
            yield connection.exec_driver_sql(LAST_CHANGE).scalar_one()

    def after(self, duration: timedelta) -> ColumnElement[datetime]:
        # A file has no clock; all who share it are on one machine, which has one.
        return literal(datetime.now(UTC) + duration, UtcDateTime())

    def lives(self, connection: Connection, row: ServerRow) -> bool | None:
        if row.machine == machine():
            return process_start(row.process) == row.process_started
        return False if has_rebooted(row.host, row.machine) else None

    def waker(self, connection: Connection) -> Waker:
        return FileWaker(connection, self.settings)

    def wake_all(self, connection: Connection) -> None:
        """Do nothing: any write has changed the file."""

    def prepare_file(self, connection: Connection) -> Iterator[str]:
        """Let readers and the single writer of the file avoid each other by a write-ahead log."""
        if not self.shares_one_connection:
            connection.commit()
            if _pragma(connection, "PRAGMA journal_mode") != "wal":
                _pragma(connection, "PRAGMA journal_mode = WAL")
                yield "journal mode of the file set to WAL"

    def index_names(self, connection: Connection, table: Table) -> set[str]:
        return set(
            connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (table.name,)
            ).scalars()
        )

    def found_by_index(self, connection: Connection, table: Table) -> set[str]:
        first = (
            "SELECT part.name FROM pragma_index_list(?) AS one, pragma_index_info(one.name) AS part"
            " WHERE NOT one.partial AND part.seqno = 0 AND part.name IS NOT NULL"
        )
        return set(connection.exec_driver_sql(first, (table.name,)).scalars())


def _pragma(connection: Connection, statement: str) -> Any:
    """Execute a PRAGMA and return its value, by the driver alone: to SQLAlchemy each statement begins a transaction."""
    cursor = connection.connection.cursor()
    try:
        row = cursor.execute(statement).fetchone()
    finally:
        cursor.close()
    return None if row is None else row[0]


def _name(error: DBAPIError) -> str:
    original = error.orig
    return (
        original.sqlite_errorname
        if isinstance(original, sqlite3.Error) and hasattr(original, "sqlite_errorname")
        else ""
    )
