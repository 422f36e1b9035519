"""What a server needs of its database: connections, transactions, errors, and signs of life of other servers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, StaticPool, Table, event, select
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import SingletonThreadPool

from afterwork.errors import StateHasChanged, TransactionIsTheRuns
from afterwork.settings import Settings
from afterwork.store.column_type import StoredColumns
from afterwork.store.tables import server as servers

Some = TypeVar("Some")

RUNNING = "afterwork.running"
"""In a connection's `info` while a job works on it: True, or False once the job has rolled back."""

WHO_ENDS_IT = "What jobs do and the mark that they are done commit together, when they have returned."


NOT_LONG = "SET LOCAL lock_timeout = '100ms'"
"""On PostgreSQL, whoever has written rows, or holds up others otherwise, waits for rows of users only shortly: it gives
way before PostgreSQL would look for deadlocks, which might end the user's transaction and not this one."""


def refuse_in_a_run(connection: Connection) -> None:
    """A job may get at the connection of its session, and must not commit there what others of its batch have done."""
    if RUNNING in connection.info:
        raise TransactionIsTheRuns(f"A job can't commit its connection. {WHO_ENDS_IT}")


def note_in_a_run(connection: Connection) -> None:
    """After a rollback, whoever called for it, nothing that jobs wrote is there, and nothing more may be written."""
    if not connection.invalidated and RUNNING in connection.info:
        connection.info[RUNNING] = False


@dataclass(frozen=True)
class Holder:
    """A transaction that has something locked: the process of the database that it belongs to, and when it began, if
    that may be known."""

    process: int
    since: datetime | None


@dataclass(frozen=True)
class ServerRow:
    """A server, as its row says."""

    id: int
    host: str
    process: int
    process_started: float
    seen: datetime
    locked: bool
    announced: datetime | None
    beat: datetime | None
    machine: str | None
    stopping: bool

    @classmethod
    def all(cls, connection: Connection) -> "list[ServerRow]":
        """Return the servers that have not stopped in order, by number."""
        rows = select(*(servers.c[one.name] for one in fields(cls))).order_by(servers.c.id)
        return [cls(*row) for row in connection.execute(rows)]


class Database(ABC):
    """One database, through the application's engine. Connections are the server's own and in driver-level autocommit,
    so that each transaction begins where `transaction` says so, and is of the kind that it needs."""

    dialect: str
    columns: StoredColumns

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings

    def __str__(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)

    @property
    def shares_one_connection(self) -> bool:
        """Return whether the engine has a single connection, as one of a SQLite database in memory does."""
        return isinstance(self.engine.pool, StaticPool | SingletonThreadPool)

    def connect(self) -> Connection:
        """A connection that belongs to the server until it is closed, and never goes back into the engine's pool."""
        with self.connecting():
            connection = self.engine.connect()
        self._own(connection)
        event.listen(connection, "commit", refuse_in_a_run)
        event.listen(connection, "rollback", note_in_a_run)
        return connection

    def reconnect(self, connection: Connection) -> None:
        """Let a connection that was cut go on with another one of the driver's. What was in it is gone."""
        connection.rollback()
        with self.connecting():
            _ = connection.connection  # which SQLAlchemy makes anew
        self._own(connection)

    def _own(self, connection: Connection) -> None:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        if not self.shares_one_connection:
            connection.detach()
        self.prepare(connection)

    def connecting(self) -> AbstractContextManager[None]:
        """Let connections made within the block have what servers need."""
        return nullcontext()

    def connect_beside(self) -> Connection:
        """A connection for notes that are rather left out than waited for."""
        connection = self.connect()
        self.be_impatient(connection)
        return connection

    def can_note_beside(self, in_transaction: bool) -> bool:
        """Return whether a note can be written on another connection while a run goes on, in a transaction or in
        none."""
        return not (self.shares_one_connection or (in_transaction and self.has_one_writer))

    @contextmanager
    def transaction(self, connection: Connection, first: Sequence[str] = ()) -> Iterator[None]:
        """A transaction that may write. Commits at the end; rolls back when the block raises. `first` are statements
        without a result that anybody needs, which are sent along with the beginning."""
        try:
            # Of several statements that are sent together the first begins it, though another one fails.
            self.execute_begin(connection, first)
            yield
            connection.commit()
        except BaseException:
            self.give_up(connection)
            raise

    @abstractmethod
    def execute_begin(self, connection: Connection, first: Sequence[str] = ()) -> None:
        """Begin a transaction that may write."""

    @contextmanager
    def part(self, connection: Connection) -> Iterator[None]:
        """A part of a transaction that is undone if the block raises, while the rest of it stays. Raises
        `TransactionIsTheRuns` if the block has ended the transaction."""
        # Unknown to SQLAlchemy, whose sessions would end a savepoint that they knew of together with themselves.
        connection.exec_driver_sql("SAVEPOINT afterwork_part")
        try:
            yield
        except BaseException:
            if not connection.invalidated and self.is_in_transaction(connection):
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT afterwork_part")
            raise
        self.check_in_transaction(connection)

    def give_up(self, connection: Connection) -> None:
        """Roll back, if the connection is still there to do so."""
        if connection.closed or connection.invalidated:
            return
        connection.rollback()
        if self.is_in_transaction(connection):
            # SQLAlchemy counts a commit that was refused as one that has been.
            connection.exec_driver_sql("ROLLBACK")
            connection.rollback()

    def discard(self, connection: Connection | None) -> None:
        """Close a connection, whatever state it is in."""
        if connection is not None:
            try:
                connection.close()
            except DBAPIError:
                if not connection.closed:
                    connection.invalidate()

    def is_lost(self, error: BaseException) -> bool:
        """Return whether an error says that the database can't be reached, rather than that a statement was wrong."""
        # The driver's own errors come from where a server waits at the connection itself.
        if isinstance(error, DisconnectionError | self.engine.dialect.loaded_dbapi.OperationalError):
            return True
        return isinstance(error, DBAPIError) and (error.connection_invalidated or self.says_unreachable(error))

    def refuses(self, error: BaseException) -> bool:
        """Return whether an error that says that the database can't be reached will not pass with time."""
        return True

    def is_its_own(self, error: BaseException) -> bool:
        """Return whether an error says nothing of the job itself: the database is lost, or others were in the way."""
        return self.is_lost(error) or self.is_contended(error)

    def is_not_the_jobs(self, error: BaseException) -> bool:
        """The same of an error that a job's code has raised: a driver's bare error came from a connection of the job's
        own."""
        return isinstance(error, SQLAlchemyError | StateHasChanged) and self.is_its_own(error)

    def has_lost(self, connection: Connection, error: BaseException) -> bool:
        """Return whether an error that a run raised means that `connection` is gone. A job may also have lost a
        database of its own, which is no reason to wait for this one."""
        if connection.closed or connection.invalidated:
            return True  # whatever the job has made of the error
        return self.is_lost(error) and not self.answers(connection)

    def answers(self, connection: Connection) -> bool:
        """Return whether a connection is still there."""
        if connection.closed or connection.invalidated:
            return False
        try:
            connection.exec_driver_sql("SELECT 1")
            connection.commit()
        except DBAPIError:
            return False
        return True

    begin: str
    """The statement that begins a transaction which may write."""

    has_one_writer: bool
    """True if a transaction that writes keeps all others from writing."""

    @abstractmethod
    def prepare(self, connection: Connection) -> None:
        """Set up a fresh connection."""

    @abstractmethod
    def be_impatient(self, connection: Connection) -> None:
        """Let a connection wait neither for locks nor for the disk."""

    def waits_for_itself(self, connection: Connection, error: DBAPIError) -> bool:
        """Return whether the run's own transaction is why a job was refused on another connection."""
        return self.has_one_writer and self.is_contended(error) and self.is_in_transaction(connection)

    def check_in_transaction(self, connection: Connection) -> None:
        """Raises `TransactionIsTheRuns` if the transaction that this server has begun is not there any more."""
        if not self.is_in_transaction(connection):
            raise TransactionIsTheRuns(f"A job has ended the run's transaction. {WHO_ENDS_IT}")

    @abstractmethod
    def is_in_transaction(self, connection: Connection) -> bool:
        """Return whether the driver is in a transaction."""

    @abstractmethod
    def interrupt(self, driver: Any) -> bool:
        """Cancel, from another thread, the statement that goes on on a driver's connection. Returns whether Python may
        be interrupted there, since no statement would be torn in two."""

    @abstractmethod
    def absorb(self, driver: Any) -> None:
        """Wait until a cancellation that comes late can do no harm any more."""

    @abstractmethod
    def cut(self, driver: Any) -> None:
        """End a driver's connection from another thread, with the transaction that goes on on it."""

    @abstractmethod
    def says_unreachable(self, error: DBAPIError) -> bool:
        """Return whether the driver's error is about the connection or the server as a whole."""

    @abstractmethod
    def is_contended(self, error: BaseException) -> bool:
        """Return whether an error only says that others were in the way, so that another try may succeed."""

    def is_outdated(self, error: BaseException) -> bool:
        """Return whether an error only says that a migration has changed the result of a prepared statement, which is
        prepared anew in another transaction."""
        return False

    def was_cancelled(self, error: BaseException) -> bool:
        """Return whether an error says that a statement was ended because it took too long, or by hand."""
        return False

    def again_if_outdated(self, attempt: Callable[[], Some]) -> Some:
        """Attempt something, which begins a transaction of its own; at once again if a migration made it fail."""
        try:
            return attempt()
        except DBAPIError as error:
            if not self.is_outdated(error):
                raise
        return attempt()

    def unprepared(self, connection: Connection) -> AbstractContextManager[None]:
        """Prepare no statement, and use none that was prepared before, within the block."""
        return nullcontext()

    @abstractmethod
    @contextmanager
    def reading_only(self, connection: Connection) -> Iterator[None]:
        """While it lasts, each statement stands for itself, keeps no snapshot, and must not write. If the connection is
        cut meanwhile, it has another one of the driver's at the end, unless the block has raised because of that."""

    @abstractmethod
    @contextmanager
    def light_transaction(self, connection: Connection, first: Sequence[str]) -> Iterator[None]:
        """A transaction that need not wait for the disk: if it is lost with the machine, nothing is. (On PostgreSQL,
        `first` says so itself.)"""

    @abstractmethod
    @contextmanager
    def light_watched_transaction(self, connection: Connection, first: Sequence[str]) -> Iterator[Any]:
        """A light transaction that is a watched one as well. What it sees is settled after `first`."""

    @abstractmethod
    @contextmanager
    def reading_part(self, connection: Connection) -> Iterator[None]:
        """A part of a transaction in which nothing can be written."""

    @abstractmethod
    @contextmanager
    def light_statement(self, connection: Connection) -> Iterator[None]:
        """The same around a statement that is a transaction of its own."""

    @abstractmethod
    @contextmanager
    def snapshot(self, connection: Connection) -> Iterator[Any]:
        """A transaction that sees one state of the database throughout, and must not write. Yields what it sees, as a
        value that can be compared with the journal's entries."""

    @abstractmethod
    @contextmanager
    def watched_transaction(self, connection: Connection) -> Iterator[Any]:
        """A transaction that sees one state of the database throughout, and may write, unless somebody else has
        changed the same meanwhile (see `is_contended`). Yields what it sees, as `snapshot` does."""

    @abstractmethod
    def announce(self, connection: Connection, server: int) -> bool:
        """Hold a lock for as long as this connection lives, as a sign that the server does. False if there is no such
        lock here."""

    @abstractmethod
    def after(self, span: timedelta) -> ColumnElement[datetime]:
        """Return the time after a duration from now, by the one clock that all servers on this database share."""

    def now(self, connection: Connection) -> datetime:
        """Return the time by that clock."""
        found: datetime = connection.execute(select(self.after(timedelta(0)))).scalar_one()
        return found

    @abstractmethod
    def lives(self, connection: Connection, row: ServerRow) -> bool | None:
        """Return whether another server is there. None where nothing but its signs of life can tell."""

    @abstractmethod
    def was_lost_with_database(self, connection: Connection, row: ServerRow) -> bool:
        """Return whether a lost server may have lost its lock because the whole database went down."""

    def is_alive(self, connection: Connection, row: ServerRow) -> bool:
        """Return whether another server is there, as far as can be told."""
        lives = self.lives(connection, row)
        if lives is None:
            return self.now(connection) - (row.beat or row.seen) < self.settings.safety_poll + self.settings.lease
        return lives

    @abstractmethod
    def lane_holders(self, connection: Connection) -> Mapping[str, Holder]:
        """The transactions in which tickets run just now, by lane, as far as the database tells. Locks nothing."""

    @abstractmethod
    def wake_all(self, connection: Connection) -> None:
        """Wake sleeping servers, after something that no trigger tells them of."""

    @abstractmethod
    def index_names(self, connection: Connection, table: Table) -> set[str]:
        """Return the names of all indexes on a table."""

    @abstractmethod
    def found_by_index(self, connection: Connection, table: Table) -> set[str]:
        """Return the columns of a table by which an index finds all rows that have a value."""
