"""The server's view of its database: connections, transactions, errors, and other servers' signs of life."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, ExceptionContext, StaticPool, Table, event, select
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import SingletonThreadPool

from afterwork.errors import AnotherDatabase, FileIsGone, StateHasChanged, TransactionIsTheRuns
from afterwork.interruption import ends_the_program
from afterwork.model.contract import Contract
from afterwork.settings import Settings
from afterwork.store.column_type import StoredColumns
from afterwork.store.end_watch import EndWatch
from afterwork.store.server_rows import ServerRow
from afterwork.store.waker import Waker

Some = TypeVar("Some")

RUNNING = "afterwork.running"
"""A key of a connection's `info` while a job runs on it: True, or False once the job has rolled back."""

WHO_ENDS_IT = "What jobs do and the mark that they are done commit together, when they have returned."


CommitLimit = Callable[[], timedelta | None]
"""Returns how long a commit may take, when it begins: deferred triggers run in it. None if for ever."""

NOT_LONG = "SET LOCAL lock_timeout = '100ms'"
"""The limit on waiting for users' rows and tables on PostgreSQL while holding up others, as after writing rows. It
gives way before PostgreSQL would look for deadlocks, which might end the user's transaction and not this one."""


def refuse_in_a_run(connection: Connection) -> None:
    """Refuse a commit by a job on its session's connection: it would commit what others of its batch have done."""
    if RUNNING in connection.info:
        raise TransactionIsTheRuns(f"A job can't commit its connection. {WHO_ENDS_IT}")


def note_in_a_run(connection: Connection) -> None:
    """After any rollback, record that the jobs' writes are gone and that nothing more may be written."""
    if not connection.invalidated and RUNNING in connection.info:
        connection.info[RUNNING] = False


OWN = "afterwork_own"
"""An execution option of a server's own connections."""


def keep_own(context: ExceptionContext) -> None:
    """Keep a server's connection if code has raised something else than an `Exception` in a statement.

    The type of a column may do so, or a listener of statements. SQLAlchemy would take the connection for lost, and
    leave it open, with what its transaction has locked."""
    connection, error = context.connection, context.original_exception
    raised_by_code = not isinstance(error, Exception) and not ends_the_program(error)
    if raised_by_code and connection is not None and OWN in connection.get_execution_options():
        context.is_disconnect = False


@dataclass(frozen=True)
class Holder:
    """A transaction that holds a lock: its database process, and when it began, if known."""

    process: int
    since: datetime | None


SILENCE_FACTOR = 1.15
"""The factor on `inside_limit` after which a silent transaction is ended: a time-out as long comes first."""


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
        """Return a connection that belongs to the server until it is closed, and never returns to the engine's pool."""
        if not event.contains(self.engine, "handle_error", keep_own):
            event.listen(self.engine, "handle_error", keep_own)
        with self.connecting():
            connection = self.engine.connect()
        try:
            self._own(connection)
        except BaseException:  # also if a listener of the application has raised
            self.discard(connection)
            raise
        event.listen(connection, "commit", refuse_in_a_run)
        event.listen(connection, "rollback", note_in_a_run)
        return connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend one of the application's connections to read from, which finds the tables that servers find."""
        with self.engine.connect() as connection:
            yield connection

    def reconnect(self, connection: Connection) -> None:
        """Continue a connection that was cut with another driver connection. Its state is lost."""
        connection.rollback()
        with self.connecting():
            _ = connection.connection  # SQLAlchemy makes a new one
        self._own(connection)

    def _own(self, connection: Connection) -> None:
        connection.execution_options(isolation_level="AUTOCOMMIT", **{OWN: True})
        if not self.shares_one_connection:
            connection.detach()
        self.prepare(connection)

    def connecting(self) -> AbstractContextManager[None]:
        """Configure connections that are made within the block as servers need them."""
        return nullcontext()

    def connect_beside(self) -> Connection:
        """Return a connection for notes that are better dropped than waited for."""
        connection = self.connect()
        self.be_impatient(connection)
        return connection

    def can_note_beside(self, in_transaction: bool) -> bool:
        """Return whether a note can be written on another connection during a run, inside a transaction or outside."""
        return not (self.shares_one_connection or (in_transaction and self.has_one_writer))

    @contextmanager
    def transaction(
        self, connection: Connection, first: Sequence[str] = (), limit: CommitLimit | None = None
    ) -> Iterator[None]:
        """Run the block in a transaction that may write. Commits at the end; rolls back when the block raises. `first`
        are statements without a needed result, which are sent along with the beginning. The commit may take as long as
        `limit` says, or `inside_limit`; beyond that, it raises `CommitTimedOut`."""
        with self.committed(connection, limit):
            # If several statements are sent together, the first begins the transaction even if a later one fails.
            self.execute_begin(connection, first)
            yield

    @contextmanager
    def committed(self, connection: Connection, limit: CommitLimit | None) -> Iterator[None]:
        """Commit the transaction that the block has begun, or roll it back when the block or the commit raises."""
        try:
            yield
            self.commit(connection, self.settings.inside_limit if limit is None else limit())
        except BaseException:
            self.give_up(connection)
            raise

    def commit(self, connection: Connection, limit: timedelta | None) -> None:
        """Commit, and cancel that if it takes longer than `limit` and runs code of the application's."""
        connection.commit()

    @abstractmethod
    def join(self, connection: Connection) -> Iterator[str]:
        """Have the transaction of a connection that belongs to somebody else write. Yields a line for each step."""

    @abstractmethod
    def execute_begin(self, connection: Connection, first: Sequence[str] = ()) -> None:
        """Begin a transaction that may write."""

    @contextmanager
    def part(self, connection: Connection) -> Iterator[None]:
        """Run the block as a part of the transaction that is undone alone if it raises. Raises `TransactionIsTheRuns`
        if the block has ended the transaction."""
        # Unknown to SQLAlchemy, whose sessions would end a savepoint that they know of together with themselves.
        connection.exec_driver_sql("SAVEPOINT afterwork_part")
        try:
            yield
        except BaseException:
            if not connection.invalidated and self.is_in_transaction(connection):
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT afterwork_part")
            raise
        self.check_in_transaction(connection)

    def give_up(self, connection: Connection) -> None:
        """Roll back, if the connection still exists."""
        if connection.closed or connection.invalidated:
            return
        connection.rollback()
        if self.is_in_transaction(connection):
            # SQLAlchemy treats a commit that was refused as done.
            connection.exec_driver_sql("ROLLBACK")
            connection.rollback()

    def discard(self, connection: Connection | None) -> None:
        """Close a connection, whatever its state, and whatever listeners of the application raise."""
        if connection is None or connection.closed:
            return
        own = None if connection.invalidated or not connection.connection.is_detached else connection.connection
        driver: Any = None if own is None else own.dbapi_connection
        try:
            connection.close()
        except Exception:
            if not connection.closed:
                connection.invalidate()
            if driver is not None:
                driver.close()  # SQLAlchemy leaves open what is in no pool

    def is_lost(self, error: BaseException) -> bool:
        """Return whether an error says that the database can't be reached, rather than that a statement was wrong."""
        # The driver's own errors come from where a server waits on the connection itself.
        driver_error = self.engine.dialect.loaded_dbapi.OperationalError
        if isinstance(error, DisconnectionError | AnotherDatabase | FileIsGone | driver_error):
            return True
        return isinstance(error, DBAPIError) and (error.connection_invalidated or self.says_unreachable(error))

    def refuses(self, error: BaseException) -> bool:
        """Return whether an error that says that the database can't be reached is permanent."""
        return True

    def is_its_own(self, error: BaseException) -> bool:
        """Return whether an error says nothing of the job: the database is lost, or others were in the way."""
        return self.is_lost(error) or self.is_contended(error)

    def is_not_the_jobs(self, error: BaseException) -> bool:
        """Return whether an error raised by a job's code says nothing of the job. A driver's bare error came from the
        job's own connection."""
        return isinstance(error, SQLAlchemyError | StateHasChanged) and self.is_its_own(error)

    def has_lost(self, connection: Connection, error: BaseException) -> bool:
        """Return whether an error that a run raised means that `connection` is gone. A job may also have lost a
        database of its own, which is no reason to wait for this one."""
        if connection.closed or connection.invalidated:
            return True  # whatever the job has made of the error
        return self.is_lost(error) and not self.answers(connection)

    def loss(self, connection: Connection | None, error: BaseException) -> BaseException:
        """Return an error that says that `connection` is gone, if it is. After the first one, SQLAlchemy's errors say
        only that its transaction is not rolled back yet."""
        if connection is None or not connection.invalidated or self.is_lost(error):
            return error
        lost = DisconnectionError(f"The connection was lost in its transaction: {error}")
        lost.__cause__ = error
        return lost

    def check_in_place(self, connection: Connection) -> None:
        """Raise `AnotherDatabase` or `FileIsGone` if a connection is to a file that no longer has its name."""
        return

    def keep_in_one_file(self, connection: Connection) -> None:
        """Write what is in a log into the file that people copy, if this database is a file. Waits for nobody."""
        return

    def identity(self, connection: Connection) -> str:
        """Return a text that differs for another database that takes the place of this one."""
        return ""

    def was_told_of_crash(self, connection: Connection) -> bool:
        """Return whether a connection was ended because another one's process in the database crashed."""
        return False

    def ended_by(self, connection: Connection, error: BaseException) -> str | None:
        """Return the SQLSTATE by which the database has ended a connection whose user got this error, if known."""
        return None

    def has_crashed(self, connection: Connection, since: datetime) -> bool:
        """Return whether the database has ended all connections since then, because of a crash and not a stop."""
        return False

    def answers(self, connection: Connection) -> bool:
        """Return whether a connection still answers."""
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

    begin_script: str
    """The beginning of a script that installs."""

    lock_installation: Sequence[str] = ()
    """The statements by which a transaction waits for others that install or uninstall, and lets none begin."""

    has_one_writer: bool
    """True if a transaction that writes keeps all others from writing."""

    @abstractmethod
    def prepare(self, connection: Connection) -> None:
        """Set up a fresh connection."""

    @abstractmethod
    def be_impatient(self, connection: Connection) -> None:
        """Set a connection to wait neither for locks nor for the disk."""

    @abstractmethod
    def be_brief(self, connection: Connection) -> None:
        """Let the statements of a server's loop wait only briefly for locks on tables: it has others to send."""

    def waits_for_itself(self, connection: Connection, error: DBAPIError) -> bool:
        """Return whether the run's own transaction is why a job was refused on another connection."""
        return self.has_one_writer and self.is_contended(error) and self.is_in_transaction(connection)

    def check_in_transaction(self, connection: Connection) -> None:
        """Raise `TransactionIsTheRuns` if the transaction that this server began no longer exists."""
        if not self.is_in_transaction(connection):
            raise TransactionIsTheRuns(f"A job has ended the run's transaction. {WHO_ENDS_IT}")

    @abstractmethod
    def is_in_transaction(self, connection: Connection) -> bool:
        """Return whether the driver is in a transaction."""

    @abstractmethod
    def interrupt(self, driver: Any) -> bool:
        """Cancel, from another thread, the running statement of a driver's connection. Return whether Python may be
        interrupted there, since no statement would be torn in two."""

    @abstractmethod
    def absorb(self, connection: Connection, driver: Any) -> None:
        """Wait until a late cancellation can do no more harm."""

    @abstractmethod
    def cut(self, driver: Any) -> None:
        """End a driver's connection from another thread, along with its open transaction."""

    @abstractmethod
    def overdue(self, driver: Any) -> object | None:
        """Return a sign, from another thread, that a silent transaction is over, or has been open for too long.

        It is the same for as long as nothing happens on the driver's connection. None if there is none."""

    @abstractmethod
    def says_unreachable(self, error: DBAPIError) -> bool:
        """Return whether the driver's error is about the connection or the server as a whole."""

    @abstractmethod
    def is_contended(self, error: BaseException) -> bool:
        """Return whether an error only says that others were in the way, so that a retry may succeed."""

    def lacks_right(self, error: BaseException) -> bool:
        """Return whether an error only says that the current role may not do what a statement does."""
        return False

    def is_outdated(self, error: BaseException) -> bool:
        """Return whether an error only says that a migration changed the result of a prepared statement. It is prepared
        anew in another transaction."""
        return False

    def was_cancelled(self, error: BaseException) -> bool:
        """Return whether an error says that a statement was ended because it took too long, or by hand."""
        return False

    def again_if_outdated(self, attempt: Callable[[], Some]) -> Some:
        """Attempt something that begins its own transaction, and retry at once if a migration made it fail."""
        try:
            return attempt()
        except DBAPIError as error:
            if not self.is_outdated(error):
                raise
        return attempt()

    def unprepared(self, connection: Connection) -> AbstractContextManager[None]:
        """Within the block, prepare no statement, and use none that was prepared before."""
        return nullcontext()

    @abstractmethod
    @contextmanager
    def reading_only(self, connection: Connection) -> Iterator[None]:
        """Within the block, make each statement stand alone, keep no snapshot, and refuse writes. If the connection is
        cut meanwhile, it has another driver connection at the end, unless the block has raised because of that."""

    @contextmanager
    def light_transaction(
        self, connection: Connection, first: Sequence[str], limit: CommitLimit | None = None
    ) -> Iterator[None]:
        """Run a transaction that need not wait for the disk, since losing it would do no harm. (On PostgreSQL, `first`
        says so itself.)"""
        with self.transaction(connection, first, limit):
            yield

    @abstractmethod
    @contextmanager
    def light_watched_transaction(
        self, connection: Connection, first: Sequence[str], limit: CommitLimit | None = None
    ) -> Iterator[Any]:
        """Run a light transaction that is also a watched one. Its snapshot is taken after `first`."""

    @abstractmethod
    @contextmanager
    def reading_part(self, connection: Connection) -> Iterator[None]:
        """Run a part of a transaction in which nothing can be written."""

    @abstractmethod
    @contextmanager
    def light_statement(self, connection: Connection) -> Iterator[None]:
        """Run a statement, a transaction of its own, that need not wait for the disk."""

    @abstractmethod
    @contextmanager
    def snapshot(self, connection: Connection) -> Iterator[Any]:
        """Run a transaction that sees a single state of the database, and must not write. Yields its snapshot, as a
        value that can be compared with the journal's entries."""

    @abstractmethod
    @contextmanager
    def watched_transaction(self, connection: Connection, limit: CommitLimit | None = None) -> Iterator[Any]:
        """Run a transaction that sees a single state of the database, and may write. It fails if somebody else has
        changed the same meanwhile (see `is_contended`). Yields its snapshot, as `snapshot` does."""

    def announce(self, connection: Connection, server: int) -> bool:
        """Hold a lock while this connection lives, as a sign that the server does. Return False if this database has no
        such lock."""
        return False

    def free_locks(self, connection: Connection) -> None:
        """Free the locks that would be held until the connection is closed, if this database has such locks."""
        return

    @abstractmethod
    def after(self, duration: timedelta) -> ColumnElement[datetime]:
        """Return the time after a duration from now, by the one clock that all servers on this database share."""

    def now(self, connection: Connection) -> datetime:
        """Return the time by that clock."""
        time: datetime = connection.execute(select(self.after(timedelta(0)))).scalar_one()
        return time

    @abstractmethod
    def lives(self, connection: Connection, row: ServerRow) -> bool | None:
        """Return whether another server is alive; None where only its signs of life can tell."""

    def was_lost_with_database(self, connection: Connection, row: ServerRow) -> bool:
        """Return whether a lost server may have lost its lock because the whole database went down."""
        return False

    def is_alive(self, connection: Connection, row: ServerRow) -> bool:
        """Return whether another server is alive, as well as can be determined."""
        lives = self.lives(connection, row)
        return self.has_beaten(connection, row) if lives is None else lives

    def has_beaten(self, connection: Connection, row: ServerRow) -> bool:
        """Return whether a server has shown a sign of life lately."""
        return self.now(connection) - (row.beat or row.seen) < self.settings.safety_poll + self.settings.lease

    def lane_holders(self, connection: Connection) -> Mapping[str, Holder]:
        """Return the transactions in which tickets run just now, by lane, if the database tells. Locks nothing."""
        return {}

    @abstractmethod
    def waker(self, connection: Connection) -> Waker:
        """Return the waker of a server's loop. It keeps `connection` for itself."""

    @abstractmethod
    def end_watch(self, connection: Connection, contract: Contract) -> EndWatch:
        """Return what wakes those who wait for tickets to end. It keeps `connection` for itself.

        Raises `NotInstalled` or `NotGranted` where nobody can wait."""

    def notifying_would_fail(self, connection: Connection) -> bool:
        """Return whether a listening server could make a user's transaction fail, unless settings rule it out."""
        return False

    @abstractmethod
    def wake_all(self, connection: Connection) -> None:
        """Wake sleeping servers after something that no trigger reports to them."""

    def prepare_file(self, connection: Connection) -> Iterator[str]:
        """Prepare a database that is a file for servers. Yields a line for each step taken."""
        yield from ()

    def add_wake_trigger(self, connection: Connection, contract: Contract) -> Iterator[str]:
        """Have writers of a ticket table wake sleeping servers, if nothing else does. Yields a line if that is new."""
        yield from ()

    def add_end_trigger(self, connection: Connection, contract: Contract) -> Iterator[str]:
        """Have whoever ends a ticket wake those who wait for it, if nothing else does. Yields a line if that is new."""
        yield from ()

    @abstractmethod
    def index_names(self, connection: Connection, table: Table) -> set[str]:
        """Return the names of all indexes on a table."""

    @abstractmethod
    def found_by_index(self, connection: Connection, table: Table) -> set[str]:
        """Return the columns of a table by which an index finds all rows with a value."""
