"""SQLite: a single writer at a time, and servers on one machine."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, literal
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError

from afterwork.errors import StateHasChanged
from afterwork.model.contract import Contract
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.settings import Settings
from afterwork.store.database import SILENCE_FACTOR, CommitLimit, Database
from afterwork.store.end_watch import EndWatch
from afterwork.store.process import has_rebooted, machine, process_start
from afterwork.store.server_rows import ServerRow
from afterwork.store.sqlite.column import SQLiteColumns
from afterwork.store.sqlite.end_watch import FileEndWatch
from afterwork.store.sqlite.file_fairness import FileFairness
from afterwork.store.sqlite.open_file import OpenFile, current_file, note_files, opened_file
from afterwork.store.sqlite.waker import FileWaker

BUSY = {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_TIMEOUT", "SQLITE_LOCKED"}
UNREACHABLE = {"SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_NOTADB", "SQLITE_READONLY_DBMOVED"}


LOGS = "-wal", "-shm"
"""The endings of the names of logs, which begin with that of their file."""

FINISH_MILLISECONDS = 1000
"""The time limit on waiting for those who already read the next file by the log of the earlier one."""

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
    begin_script = "PRAGMA journal_mode = WAL;\n\nBEGIN IMMEDIATE;"

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(engine, settings)
        self.columns = SQLiteColumns()
        self._fairness = FileFairness()
        self._file: OpenFile | None = None
        """The file that all connections have open. This is one database for life: another file is another one."""
        self._logs: list[OpenFile] = []
        """Its logs, which exist while a server is connected."""

    @contextmanager
    def connecting(self) -> Iterator[None]:
        if not self.shares_one_connection:
            note_files(self.engine)
        if self._file is not None:
            self._file.check()  # SQLite would make an empty file, or open another one
        yield

    def _own(self, connection: Connection) -> None:
        if not self.shares_one_connection:
            try:
                self._check_opened(current_file(connection))
            except BaseException:
                self.discard(connection)
                raise
        super()._own(connection)

    def _check_opened(self, file: OpenFile | None) -> None:
        if self._file is None and file is not None:
            self._file = file.called(self.engine.url.database)
        elif self._file is not None:
            self._file.check()

    def check_in_place(self, connection: Connection) -> None:
        if self._file is None or self._file.is_in_place:
            return
        if _finish(connection):
            for log in self._logs:
                log.delete()
        self._file.check()

    def keep_in_one_file(self, connection: Connection) -> None:
        if not self.shares_one_connection:
            _pragma(connection, "PRAGMA wal_checkpoint(PASSIVE)")

    def answers(self, connection: Connection) -> bool:
        return (self._file is None or self._file.is_in_place) and super().answers(connection)

    @contextmanager
    def transaction(
        self, connection: Connection, first: Sequence[str] = (), limit: CommitLimit | None = None
    ) -> Iterator[None]:
        with self._fairness.taken(connection), super().transaction(connection, first, limit):
            yield

    def join(self, connection: Connection) -> Iterator[str]:
        """Begin a transaction unless the driver is in one: it begins none for changes of tables alone."""
        if not connection.in_transaction():
            connection.begin()
        driver: Any = connection.connection.dbapi_connection
        driver = getattr(driver, "driver_connection", driver)  # that below an async one
        if not driver.in_transaction:
            yield from self._write_ahead(connection)
            _pragma(connection, self.begin)

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

    def overdue(self, driver: Any) -> object | None:
        since = None if self.shares_one_connection else self._fairness.held_since(driver)
        limit = SILENCE_FACTOR * self.settings.inside_limit.total_seconds()
        return None if since is None or time.monotonic() - since < limit else (since, driver.total_changes)

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
    def light_transaction(
        self, connection: Connection, first: Sequence[str], limit: CommitLimit | None = None
    ) -> Iterator[None]:
        before = _pragma(connection, "PRAGMA synchronous")
        _pragma(connection, "PRAGMA synchronous = NORMAL")
        try:
            with self.transaction(connection, first, limit):
                yield
        finally:
            _pragma(connection, f"PRAGMA synchronous = {before}")

    @contextmanager
    def light_watched_transaction(
        self, connection: Connection, first: Sequence[str], limit: CommitLimit | None = None
    ) -> Iterator[Any]:
        with self.light_transaction(connection, first, limit):
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
    def watched_transaction(self, connection: Connection, limit: CommitLimit | None = None) -> Iterator[Any]:
        with self.transaction(connection, limit=limit):
            yield connection.exec_driver_sql(LAST_CHANGE).scalar_one()

    def after(self, duration: timedelta) -> ColumnElement[datetime]:
        # A file has no clock; all who share it are on one machine, which has one.
        return literal(datetime.now(UTC) + duration, UtcDateTime())

    def lives(self, connection: Connection, row: ServerRow) -> bool | None:
        if row.machine == machine():
            return process_start(row.process) == row.process_started
        return False if has_rebooted(row.host, row.machine) else None

    def waker(self, connection: Connection) -> FileWaker:
        opened = opened_file(connection)
        # SQLite finds logs by name, and would take them for those of the next file of this name.
        self._logs = [] if opened is None else [log for name in LOGS if (log := OpenFile.at(opened.name + name))]
        return FileWaker(connection, self.settings, self._file)

    def end_watch(self, connection: Connection, contract: Contract) -> EndWatch:
        return FileEndWatch(self.waker(connection))

    def wake_all(self, connection: Connection) -> None:
        """Do nothing: any write has changed the file."""

    def prepare_file(self, connection: Connection) -> Iterator[str]:
        """Let readers and the single writer of the file avoid each other by a write-ahead log."""
        if not self.shares_one_connection:
            connection.commit()
            yield from self._write_ahead(connection)

    def _write_ahead(self, connection: Connection) -> Iterator[str]:
        if not self.shares_one_connection and _pragma(connection, "PRAGMA journal_mode") != "wal":
            self._set_write_ahead(connection)
            yield "journal mode of the file set to WAL"

    def _set_write_ahead(self, connection: Connection) -> None:
        """Set the mode as soon as nobody else does. SQLite refuses two that do at once, without waiting (traps, 13)."""
        until = time.monotonic() + self.settings.lock_limit.total_seconds()
        while True:
            try:
                _pragma(connection, "PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname not in BUSY or time.monotonic() > until:
                    raise
                time.sleep(RETRY_SECONDS)
            else:
                return

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


def _finish(connection: Connection) -> bool:
    """Write the rest of its log into a file that has lost its name. Return False if others are in the way."""
    try:
        _pragma(connection, f"PRAGMA busy_timeout = {FINISH_MILLISECONDS}")
        return bool(_pragma(connection, "PRAGMA wal_checkpoint(TRUNCATE)") == 0)
    except sqlite3.Error:
        return False


def _pragma(connection: Connection, statement: str) -> Any:
    """Execute a PRAGMA and return its value, by the driver alone: to SQLAlchemy each statement begins a transaction."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement)
        row = cursor.fetchone()
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
