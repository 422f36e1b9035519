"""PostgreSQL, through psycopg 3."""

import json
import os
import select
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from psycopg import Error as PsycopgError
from psycopg.pq import TransactionStatus
from sqlalchemy import ColumnElement, Connection, Engine, Interval, Table, cast, event, func, literal, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from afterwork.errors import StateHasChanged, UnsupportedDatabase
from afterwork.model.contract import Contract
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.settings import Settings
from afterwork.store.database import NOT_LONG, SILENCE_FACTOR, CommitLimit, Database, Holder
from afterwork.store.direct_statement import DirectStatement, as_sqlalchemy_does, send_together
from afterwork.store.end_watch import EndWatch
from afterwork.store.postgresql import role_limits, wake_trigger
from afterwork.store.postgresql.any_bytes import allow_any_bytes
from afterwork.store.postgresql.column import PostgreSQLColumns
from afterwork.store.postgresql.connecting import answers_with_refusal, bound, is_outdated, mend, own_connection
from afterwork.store.postgresql.connection_ends import ConnectionEnds
from afterwork.store.postgresql.end_trigger import add_end_trigger
from afterwork.store.postgresql.end_watch import PostgreSQLEndWatch
from afterwork.store.postgresql.timed_commit import CANCEL_SECONDS, TimedCommit
from afterwork.store.postgresql.waker import NotifyWaker
from afterwork.store.process import machine, process_start
from afterwork.store.server_rows import ServerRow
from afterwork.store.tenant_schema import TRANSLATED, path_to, prefer, tenant_schema
from afterwork.store.waker import PollingWaker, Waker

IN_TRANSACTION = {TransactionStatus.ACTIVE, TransactionStatus.INTRANS, TransactionStatus.INERROR}
CANCELLED = "57014"
NOT_PERMITTED = "42501"  # insufficient privilege, also by row-level security
CONTENDED = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
SHUTDOWN = ("57P", "08", "53300")  # operator intervention, connection exceptions, too many connections

OWN = {
    "application_name": "afterwork",
    # Jobs have those of their role while they run.
    **dict.fromkeys(role_limits.LIMITS, "0"),
    "idle_session_timeout": "0",
    # The lock of a lane is useless if a transaction sees the state from before it had the lock.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    # The driver reads no other style.
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    # Caches are found by an index that would otherwise return a random selection.
    "gin_fuzzy_search_limit": "0",
    # Otherwise crashes of the database could not be told from restarts.
    "client_min_messages": "notice",
}
"""The settings of servers' own connections, whatever their role or database sets."""

_SET = text(
    "SELECT name, current_setting(name), set_config(name, value, false)"
    " FROM json_each_text(CAST(:values AS json)) AS own (name, value) WHERE current_setting(name, true) IS NOT NULL"
    " UNION ALL SELECT name, setting, NULL FROM pg_settings WHERE source = 'session'"
    " UNION ALL SELECT 'role', current_setting('role'), NULL"
)

LOOK_PATIENCE = timedelta(milliseconds=250)
"""The time for which a look waits for a lock on a table, while all other looks wait for it."""

COMMITS_WITHIN = "afterwork.commits_within"
"""The key in a connection's `info` of the time limit of the commit that it is about to make."""

AWAITS_STANDBY = text("SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = :process")

SEEN = "SELECT CAST(pg_current_snapshot() AS text)"

# A locked row has the transaction's number in xmax; the transaction's lock on itself shows that it is still running.
LANE_HOLDERS = text(
    "SELECT lane.name, pg_locks.pid, pg_stat_activity.xact_start FROM afterwork_lane AS lane"
    " JOIN pg_locks ON locktype = 'transactionid' AND transactionid = lane.xmax AND granted AND mode = 'ExclusiveLock'"
    " LEFT JOIN pg_stat_activity USING (pid)"
)


HUNG_UP: int = getattr(select, "POLLRDHUP", select.POLLHUP)
"""The event of a socket whose other side is closed."""

AGE = text("SELECT clock_timestamp() - pg_postmaster_start_time()")

# A crash ends all connections, but not PostgreSQL itself. It resets all statistics.
HAS_CRASHED = text("SELECT pg_postmaster_start_time() < :since AND stats_reset > :since FROM pg_stat_archiver")
SINCE_LOSS = text("SELECT clock_timestamp() - greatest(pg_postmaster_start_time(), stats_reset) FROM pg_stat_archiver")


class PostgreSQL(Database):
    dialect = "postgresql"
    has_one_writer = False
    begin = "BEGIN READ WRITE"
    begin_script = "BEGIN;"
    lock_installation = ("SELECT pg_advisory_xact_lock(hashtext('afterwork installation'))",)
    # After waiting for a lock, a transaction must see what was committed by then, whatever the database's default is.
    begin_with_lock = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
    _begin = DirectStatement(text(begin))

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(engine, settings)
        self.columns = PostgreSQLColumns(engine.dialect)
        self._schema = tenant_schema(engine.get_execution_options())
        # A role that got another path meanwhile would find other tables by the same names, or none.
        self._path: str | None = None
        self._ends = ConnectionEnds()

    def connect(self) -> Connection:
        connection = super().connect()
        event.listen(connection, "commit", self._commit_in_time)  # after the application's own listeners
        return connection

    def connecting(self) -> AbstractContextManager[None]:
        if self._schema is not None and not self._has_session:
            raise UnsupportedDatabase(
                f"{TRANSLATED} needs connections that keep their settings, which a transaction-mode pooler doesn't "
                f"give. Let the role's own search path begin with {self._schema!r}, or give Afterwork a connection "
                "beside the pooler."
            )
        bound(self.engine)
        return own_connection()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with super().reading() as connection:
            if self._schema is not None:
                event.listen(connection, "begin", prefer(self._schema))
            yield connection

    def execute_begin(self, connection: Connection, first: Sequence[str] = ()) -> None:
        if first:
            send_together(connection, self.begin_with_lock, *first)
            return
        if not connection.in_transaction():
            connection.begin()
        self._begin.execute(connection)

    def commit(self, connection: Connection, limit: timedelta | None) -> None:
        info = connection.info
        info[COMMITS_WITHIN] = limit
        try:
            connection.commit()
        finally:
            info.pop(COMMITS_WITHIN, None)

    def _commit_in_time(self, connection: Connection) -> None:
        """Commit before the driver does, which has nothing left to do then."""
        limit = connection.info.get(COMMITS_WITHIN)
        driver: Any = connection.connection.dbapi_connection
        if limit is None or driver.info.transaction_status not in IN_TRANSACTION:
            return
        is_through = partial(self._awaits_standby, driver.info.backend_pid)
        try:
            if TimedCommit(driver, limit, self.settings.abandon_after, is_through).run():
                self.absorb(connection, driver)
        except PsycopgError as error:
            raise as_sqlalchemy_does(connection, "COMMIT", {}, error) from error

    def _awaits_standby(self, process: int) -> bool:
        """Return whether a commit is done, but still awaits a synchronous standby, which a cancellation would skip."""
        with suppress(SQLAlchemyError), closing(self.connect()) as beside:
            return beside.execute(AWAITS_STANDBY, {"process": process}).scalar() is True
        return False

    def join(self, connection: Connection) -> Iterator[str]:
        if not connection.in_transaction():
            connection.begin()
        yield from ()

    def prepare(self, connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        mend(driver)
        allow_any_bytes(driver)
        self._ends.listen(connection)
        limits = {
            "lock_timeout": _milliseconds(self.settings.lock_limit),
            # Ends the transaction of a stopped process, and so frees its lane.
            "idle_in_transaction_session_timeout": _milliseconds(self.settings.inside_limit * SILENCE_FACTOR),
        }
        if self._path is None:
            self._path = self._path_of(connection)
        self._set(connection, {**OWN, **limits, "search_path": self._path})
        if self._schema is not None:
            connection.execution_options(**{TRANSLATED: None})  # the path leads to its tables

    def _path_of(self, connection: Connection) -> str:
        """Return the search path of the server's connections: their role's, with the tenant's schema before it."""
        path: str = connection.exec_driver_sql("SELECT current_setting('search_path')").scalar_one()
        connection.commit()
        return path if self._schema is None else path_to(self._schema, path)

    def be_impatient(self, connection: Connection) -> None:
        self._set(connection, {"lock_timeout": "1", "synchronous_commit": "off"})

    def be_brief(self, connection: Connection) -> None:
        self._set(connection, {"lock_timeout": _milliseconds(LOOK_PATIENCE)})

    @property
    def _has_session(self) -> bool:
        """Return whether connections keep their settings. A pooler without sessions would give them to the next
        client."""
        return self.settings.listen

    def _set(self, connection: Connection, values: Mapping[str, str]) -> None:
        """Set the settings that this PostgreSQL knows on a connection, if it has its own session. The previous and the
        new values are remembered."""
        if not self._has_session:
            return
        rows = connection.execute(_SET, {"values": json.dumps(values)}).all()
        connection.commit()
        of_session = {name: was for name, was, now in rows if now is None}
        own = {name: now for name, _, now in rows if now is not None}
        role_limits.remember(
            connection, {name: was for name, was, now in rows if now is not None}, {**of_session, **own}
        )

    def is_in_transaction(self, connection: Connection) -> bool:
        return self._status(connection) in IN_TRANSACTION

    def _status(self, connection: Connection) -> TransactionStatus:
        driver: Any = connection.connection.dbapi_connection
        return TransactionStatus(driver.info.transaction_status)

    def interrupt(self, driver: Any) -> bool:
        if driver.info.transaction_status != TransactionStatus.ACTIVE:
            return True
        with suppress(PsycopgError):  # it has just ended, or the connection is gone
            driver.cancel_safe(timeout=CANCEL_SECONDS)
        return False

    def absorb(self, connection: Connection, driver: Any) -> None:
        try:
            if driver.info.transaction_status == TransactionStatus.ACTIVE:  # it was begun just before the interruption
                driver.cancel_safe(timeout=CANCEL_SECONDS)
                while driver.pgconn.get_result() is not None:
                    pass
            driver.execute("SELECT 1")
        except PsycopgError as error:
            self._ends.note(connection, error)

    def cut(self, driver: Any) -> None:
        with suppress(OSError, PsycopgError), socket.socket(fileno=os.dup(driver.pgconn.socket)) as own:
            own.shutdown(socket.SHUT_RDWR)  # both the thread that uses it and PostgreSQL see it end

    def overdue(self, driver: Any) -> object | None:
        try:
            if driver.info.transaction_status != TransactionStatus.INTRANS:
                return None
            poller = select.poll()
            poller.register(driver.pgconn.socket, HUNG_UP)
        except (PsycopgError, OSError, ValueError):
            return None  # its thread has noticed
        return True if poller.poll(0) else None

    def discard(self, connection: Connection | None) -> None:
        if connection is not None and not connection.closed and not connection.invalidated:
            driver: Any = connection.connection.dbapi_connection
            if driver.broken:
                connection.invalidate()  # the pool would log that it can't be rolled back
        super().discard(connection)

    def identity(self, connection: Connection) -> str:
        number = text("SELECT oid::text FROM pg_database WHERE datname = current_database()")
        return str(connection.execute(number).scalar_one())

    def was_told_of_crash(self, connection: Connection) -> bool:
        return self._ends.by_crash(connection)

    def ended_by(self, connection: Connection, error: BaseException) -> str | None:
        return _state(error) or self._ends.state(connection)

    def has_crashed(self, connection: Connection, since: datetime) -> bool:
        return bool(connection.execute(HAS_CRASHED, {"since": since}).scalar())

    def says_unreachable(self, error: DBAPIError) -> bool:
        state = _state(error)
        # Without a state, the error is the driver's own: it could not connect, or the connection broke.
        return state.startswith(SHUTDOWN) if state else type(error.orig).__name__ == "OperationalError"

    def refuses(self, error: BaseException) -> bool:
        return answers_with_refusal(error)

    def is_contended(self, error: BaseException) -> bool:
        if isinstance(error, DBAPIError):
            return _state(error) in CONTENDED or self.is_outdated(error)
        return isinstance(error, StateHasChanged)

    def lacks_right(self, error: BaseException) -> bool:
        return isinstance(error, DBAPIError) and _state(error) == NOT_PERMITTED

    def is_outdated(self, error: BaseException) -> bool:
        return isinstance(error, DBAPIError) and is_outdated(error.orig)

    def was_cancelled(self, error: BaseException) -> bool:
        return isinstance(error, DBAPIError) and _state(error) == CANCELLED

    @contextmanager
    def unprepared(self, connection: Connection) -> Iterator[None]:
        driver: Any = connection.connection.dbapi_connection
        threshold, driver.prepare_threshold = driver.prepare_threshold, None
        try:
            yield
        finally:
            driver.prepare_threshold = threshold

    @contextmanager
    def reading_only(self, connection: Connection) -> Iterator[None]:
        self._read_only(connection, "on")
        try:
            yield
        except BaseException as error:
            if self.is_lost(error):
                with suppress(SQLAlchemyError):  # the lost connection may be the job's own
                    self._read_only(connection, "off")
            else:
                self._write_again(connection)
            raise
        self._write_again(connection)

    def _write_again(self, connection: Connection) -> None:
        try:
            self._read_only(connection, "off")
        except DBAPIError as error:
            if not self.is_lost(error):
                raise
            self.reconnect(connection)  # it was cut while idle

    def _read_only(self, connection: Connection, setting: str) -> None:
        with role_limits.unnoticed(connection):
            connection.exec_driver_sql(
                f"SET default_transaction_read_only = {setting}" if self._has_session else "SELECT 1"
            )

    @contextmanager
    def light_statement(self, connection: Connection) -> Iterator[None]:
        yield
        connection.commit()

    @contextmanager
    def snapshot(self, connection: Connection) -> Iterator[Any]:
        try:
            yield send_together(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", SEEN)
            begun = connection.get_transaction()
            if begun is not None and begun.is_active:  # false if a job has tried to end it
                connection.commit()  # commits nothing; but a rollback would make psycopg forget the prepared statements
        finally:
            self.give_up(connection)

    @contextmanager
    def watched_transaction(self, connection: Connection, limit: CommitLimit | None = None) -> Iterator[Any]:
        with self.light_watched_transaction(connection, (NOT_LONG,), limit) as snapshot:
            yield snapshot

    @contextmanager
    def light_watched_transaction(
        self, connection: Connection, first: Sequence[str], limit: CommitLimit | None = None
    ) -> Iterator[Any]:
        with self.committed(connection, limit):
            yield send_together(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE", *first, SEEN)

    @contextmanager
    def reading_part(self, connection: Connection) -> Iterator[None]:
        send_together(connection, "SAVEPOINT afterwork_reading", "SET LOCAL transaction_read_only = on")
        try:
            yield
        finally:
            if not connection.invalidated:
                self._end_reading(connection)

    def _end_reading(self, connection: Connection) -> None:
        """Let the transaction write again, as it may after either end of the savepoint."""
        match self._status(connection):
            case TransactionStatus.INTRANS:  # a rollback makes psycopg forget the prepared statements
                send_together(connection, "RELEASE SAVEPOINT afterwork_reading")
            case TransactionStatus.INERROR:
                send_together(connection, "ROLLBACK TO SAVEPOINT afterwork_reading")
            case _:
                pass  # it was ended, which is reported elsewhere

    def announce(self, connection: Connection, server: int) -> bool:
        if self._has_session:
            connection.execute(wake_trigger.SHOW_LIFE, {"server": server})
        return self._has_session

    def free_locks(self, connection: Connection) -> None:
        if self._has_session:
            connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            connection.commit()

    def after(self, duration: timedelta) -> ColumnElement[datetime]:
        return cast(func.clock_timestamp() + literal(duration, Interval()), UtcDateTime())

    def lives(self, connection: Connection, row: ServerRow) -> bool | None:
        if not row.locked:
            return None
        if connection.execute(wake_trigger.IS_ALIVE, {"server": row.id}).scalar():
            return True
        return self._may_come_back(connection, row) or self._reconnects(connection, row)

    def _reconnects(self, connection: Connection, row: ServerRow) -> bool:
        """Return whether a server of this machine has lost its lock with its connection, and is about to retake it."""
        goes_on = row.machine == machine() and process_start(row.process) == row.process_started
        return goes_on and self.has_beaten(connection, row)

    def _may_come_back(self, connection: Connection, row: ServerRow) -> bool:
        """Return whether a server is about to retake its lock, which a restart or crash of PostgreSQL has released."""
        passed: timedelta = connection.execute(SINCE_LOSS).scalar_one()
        return passed < self.settings.lease and self._had_announced(connection, row, passed)

    def was_lost_with_database(self, connection: Connection, row: ServerRow) -> bool:
        # Not by a crash: a server that does not come back from one may have caused it.
        return self._had_announced(connection, row, connection.execute(AGE).scalar_one())

    def _had_announced(self, connection: Connection, row: ServerRow, ago: timedelta) -> bool:
        return row.announced is None or row.announced < self.now(connection) - ago

    def lane_holders(self, connection: Connection) -> Mapping[str, Holder]:
        return {lane: Holder(process, since) for lane, process, since in connection.execute(LANE_HOLDERS)}

    def waker(self, connection: Connection) -> Waker:
        return NotifyWaker(connection, self.settings) if self._notifies(connection) else PollingWaker(self.settings)

    def end_watch(self, connection: Connection, contract: Contract) -> EndWatch:
        if self._notifies(connection):
            return PostgreSQLEndWatch(self, connection, contract)
        return EndWatch(PollingWaker(self.settings))

    def _notifies(self, connection: Connection) -> bool:
        listens = self.settings.listen and self.settings.notify is not False
        return listens and not self.notifying_would_fail(connection)

    def notifying_would_fail(self, connection: Connection) -> bool:
        if not self.settings.listen or self.settings.notify is not None:
            return False
        can_prepare = connection.execute(wake_trigger.CAN_PREPARE).scalar()
        connection.commit()
        return bool(can_prepare)

    def add_wake_trigger(self, connection: Connection, contract: Contract) -> Iterator[str]:
        return wake_trigger.add_wake_trigger(connection, contract)

    def add_end_trigger(self, connection: Connection, contract: Contract) -> Iterator[str]:
        return add_end_trigger(connection, contract)

    def wake_all(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"NOTIFY {wake_trigger.channel(connection)}")

    def index_names(self, connection: Connection, table: Table) -> set[str]:
        # The table that this connection means by the name: other schemas may have one of the same name.
        names = text(
            "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid WHERE indrelid = to_regclass(:table)"
        )
        quoted = connection.dialect.identifier_preparer.format_table(table)
        return set(connection.execute(names, {"table": quoted}).scalars())

    def found_by_index(self, connection: Connection, table: Table) -> set[str]:
        first = text(
            "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]"
            " JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam"
            " WHERE indrelid = to_regclass(:table) AND indpred IS NULL AND indisvalid AND amname = 'btree'"
        )
        quoted = connection.dialect.identifier_preparer.format_table(table)
        return set(connection.execute(first, {"table": quoted}).scalars())


def _milliseconds(duration: timedelta) -> str:
    return str(int(duration.total_seconds() * 1000))


def _state(error: BaseException) -> str:
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""
