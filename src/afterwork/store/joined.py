"""A database inside somebody else's transaction, where each transaction of a server becomes a savepoint.

A test that rolls everything back keeps one transaction open. Its connection is the only one there is, and nobody else
is at work in it, so a server's steps come one after the other and need no locks.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, StaticPool, event

from afterwork.settings import Settings
from afterwork.store.database import CommitLimit, Database, note_in_a_run, refuse_in_a_run
from afterwork.store.server_rows import ServerRow

SAVEPOINT = "afterwork_joined"


class Parts:
    """The parts of a transaction, one at a time. `is_open` tells whether one is, whatever SQLAlchemy believes."""

    def __init__(self) -> None:
        self.is_open = False

    def begin(self, driver: Any) -> None:
        _send(driver, f"SAVEPOINT {SAVEPOINT}")
        self.is_open = True

    def commit(self, driver: Any) -> None:
        _send(driver, f"RELEASE SAVEPOINT {SAVEPOINT}")
        self.is_open = False

    def roll_back(self, driver: Any) -> None:
        _send(driver, f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        _send(driver, f"RELEASE SAVEPOINT {SAVEPOINT}")
        self.is_open = False

    def engine_on(self, connection: Connection) -> Engine:
        """Return an engine whose only connection is the driver's own behind `connection`, which stays open."""
        dialect: Any = copy.copy(connection.dialect)
        dialect.do_begin, dialect.do_commit, dialect.do_rollback = self.begin, self.commit, self.roll_back
        driver = connection.connection.dbapi_connection
        pool = StaticPool(lambda: driver, reset_on_return=None, dialect=dialect)  # type: ignore[arg-type]
        options = connection.get_execution_options()
        own = {name: value for name, value in options.items() if name != "isolation_level"}
        return Engine(pool, dialect, connection.engine.url, execution_options=own)


def _send(driver: Any, statement: str) -> None:
    cursor = driver.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()


class Joined(Database):
    """The code that is the same on all databases."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._parts = Parts()
        super().__init__(self._parts.engine_on(connection), settings)

    def connect(self) -> Connection:
        connection = self.engine.connect()
        event.listen(connection, "commit", refuse_in_a_run)
        event.listen(connection, "rollback", note_in_a_run)
        return connection

    def execute_begin(self, connection: Connection, first: Sequence[str] = ()) -> None:
        """Begin a part of the transaction. `first` would lock and limit what nobody else uses."""
        if self._parts.is_open:  # what was sent before would have been a transaction of its own
            self._parts.commit(connection.connection.dbapi_connection)
        # SQLAlchemy isn't asked to commit, since that has a meaning for a run (RUNNING).
        if connection.in_transaction():
            self._parts.begin(connection.connection.dbapi_connection)
        else:
            connection.begin()

    def execute_end(self, connection: Connection) -> None:
        """End a part of the transaction, and keep what it has done."""
        connection.commit()

    @contextmanager
    def transaction(
        self, connection: Connection, first: Sequence[str] = (), limit: CommitLimit | None = None
    ) -> Iterator[None]:
        try:
            self.execute_begin(connection, first)
            yield
            self.execute_end(connection)
        except BaseException:
            self.give_up(connection)
            raise

    @contextmanager
    def light_watched_transaction(
        self, connection: Connection, first: Sequence[str], limit: CommitLimit | None = None
    ) -> Iterator[Any]:
        with self.transaction(connection, first):
            yield self.seen(connection)

    def give_up(self, connection: Connection) -> None:
        if connection.closed or connection.invalidated:
            return
        connection.rollback()
        if self._parts.is_open:  # SQLAlchemy treats a commit that was refused as done
            self._parts.roll_back(connection.connection.dbapi_connection)

    @contextmanager
    def light_transaction(
        self, connection: Connection, first: Sequence[str], limit: CommitLimit | None = None
    ) -> Iterator[None]:
        with self.transaction(connection, first):
            yield

    @contextmanager
    def light_statement(self, connection: Connection) -> Iterator[None]:
        yield
        connection.commit()

    @contextmanager
    def watched_transaction(self, connection: Connection, limit: CommitLimit | None = None) -> Iterator[Any]:
        with self.light_watched_transaction(connection, ()) as snapshot:
            yield snapshot

    def fire_deferred(self, connection: Connection) -> None:
        """Let the database do what it does when a transaction commits, as far as that is Afterwork's."""

    @contextmanager
    def reading_only(self, connection: Connection) -> Iterator[None]:
        self.execute_begin(connection)
        with self.reading_part(connection):
            yield

    @contextmanager
    def snapshot(self, connection: Connection) -> Iterator[Any]:
        try:
            self.execute_begin(connection)
            seen = self.seen(connection)
            with self.reading_part(connection):
                yield seen
        finally:
            self.give_up(connection)

    def seen(self, connection: Connection) -> Any:
        """Return the snapshot of what a calculation sees that begins now."""
        raise NotImplementedError

    def is_in_transaction(self, connection: Connection) -> bool:
        return self._parts.is_open and self.is_open(_native(connection.connection.dbapi_connection))

    def is_open(self, driver: Any) -> bool:
        """Return whether the driver's connection is in a transaction."""
        raise NotImplementedError

    def prepare(self, connection: Connection) -> None:
        """Change nothing: the connection is its owner's."""

    be_impatient = be_brief = prepare

    def announce(self, connection: Connection, server: int) -> bool:
        return False

    def free_locks(self, connection: Connection) -> None:
        """Free none: none is held."""

    def lives(self, connection: Connection, row: ServerRow) -> bool | None:
        return True  # this transaction can't tell, and decides nothing for others

    def wake_all(self, connection: Connection) -> None:
        """Wake nobody: others see nothing of this."""

    def interrupt(self, driver: Any) -> bool:
        return True  # nobody waits for this run but its test

    def absorb(self, connection: Connection, driver: Any) -> None:
        """Do nothing: no statement is cancelled."""

    def cut(self, driver: Any) -> None:
        """Cut nothing: the connection is its owner's."""

    def overdue(self, driver: Any) -> object | None:
        return None


def _native(driver: Any) -> Any:
    """Return the driver's connection, also the one below an async one."""
    return getattr(driver, "driver_connection", driver)
