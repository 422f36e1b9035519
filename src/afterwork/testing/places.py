"""The places where the jobs of a test run: in the transaction of a connection, or on an engine of the test's own."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.orm import Session, scoped_session

from afterwork.errors import CommittedInTest, NoTestDatabase, TransactionOver, shown
from afterwork.settings import Settings
from afterwork.store.database import Database
from afterwork.store.dialects import database_joined, database_of
from afterwork.store.joined import Joined
from afterwork.store.tenant_schema import in_tenant_schema
from afterwork.testing.recipe import begin, is_begun

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    Bind = Engine | Connection | Session | scoped_session[Session] | AsyncConnection | AsyncSession


class Place(ABC):
    """A database that a test has for itself."""

    @abstractmethod
    def opened(self) -> AbstractContextManager[tuple[Database, Connection]]:
        """Return a context manager with the database and a connection for a server's steps."""

    @abstractmethod
    def session(self) -> Session:
        """Return a session that sees what the test has written."""

    @abstractmethod
    def has(self, connection: Connection) -> bool:
        """Return whether a session's connection is to this place."""

    @abstractmethod
    def as_if_committed(self) -> None:
        """Do what the database would if the session that has just ended had really committed."""


class InTransaction(Place):
    """The open transaction of the test's connection, which can only be rolled back."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection, self._settings = connection, settings
        event.listen(connection, "commit", _refuse_to_commit)

    @cached_property
    def _database(self) -> Joined:
        return database_joined(self._connection, self._settings)

    @property
    def _joined(self) -> Joined:
        _check_awaited(self._connection)
        if not is_begun(self._connection):
            raise TransactionOver()
        return self._database

    @contextmanager
    def opened(self) -> Iterator[tuple[Database, Connection]]:
        joined = self._joined
        with in_tenant_schema(self._connection), joined.connect() as connection:
            yield joined, connection
            connection.commit()

    def session(self) -> Session:
        _ = self._joined
        return Session(self._connection, join_transaction_mode="create_savepoint")

    def has(self, connection: Connection) -> bool:
        return connection.connection.dbapi_connection is self._connection.connection.dbapi_connection

    def as_if_committed(self) -> None:
        joined = self._joined
        with in_tenant_schema(self._connection), joined.connect() as connection:
            joined.fire_deferred(connection)


class OnEngine(Place):
    """An engine's database, where all is committed."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings

    @contextmanager
    def opened(self) -> Iterator[tuple[Database, Connection]]:
        database = database_of(self._engine, self._settings)
        connection = database.connect()
        try:
            yield database, connection
        finally:
            database.discard(connection)

    def session(self) -> Session:
        return Session(self._engine)

    def has(self, connection: Connection) -> bool:
        return connection.engine.pool is self._engine.pool

    def as_if_committed(self) -> None:
        """Do nothing: it has committed."""


def place_of(bind: object, settings: Settings) -> Place:
    """Return the place that a test works in. Raises `NoTestDatabase` if jobs can't run there."""
    match bind:
        case Engine():
            return OnEngine(bind, settings)
        case Connection():
            _begun(bind)
            return InTransaction(bind, settings)
        case Session() | scoped_session():
            return place_of(bind.get_bind(), settings)
        case _ if (below := getattr(bind, "sync_connection", None) or getattr(bind, "sync_session", None)) is not None:
            return place_of(below, settings)
    raise NoTestDatabase(f"The fixture afterwork_bind gives {shown(type(bind).__name__)}.")


def _begun(connection: Connection) -> None:
    """Have the driver begin its transaction, if it is SQLite's, and begins only when something is written."""
    if not connection.in_transaction():
        raise NoTestDatabase("The connection is in no transaction, so nothing could be rolled back.")
    if not is_begun(connection):
        if connection.dialect.is_async:
            raise NoTestDatabase("SQLite's driver has begun no transaction, so a session's commit would be final.")
        begin(connection)


def _check_awaited(connection: Connection) -> None:
    """Raise `MissingGreenlet` where an async connection can't wait, before anything is begun that nobody awaits."""
    if connection.dialect.is_async:
        from sqlalchemy.util.concurrency import in_greenlet  # greenlet is there where it is used

        if not in_greenlet():
            raise MissingGreenlet("An async connection is used where nothing is awaited.")


def _refuse_to_commit(connection: Connection) -> None:
    raise CommittedInTest()
