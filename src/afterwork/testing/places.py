"""Where the jobs of a test run: in the transaction of a connection, or on an engine of the test's own."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session

from afterwork.errors import CommittedInTest, NoTestDatabase
from afterwork.settings import Settings
from afterwork.store.database import Database
from afterwork.store.dialects import database_joined, database_of
from afterwork.store.joined import Joined
from afterwork.testing.recipe import begin

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    Bind = Engine | Connection | AsyncConnection


class Place(ABC):
    """A database that a test has for itself."""

    @abstractmethod
    def opened(self) -> "contextmanager[tuple[Database, Connection]]":
        """Return a context manager with the database and a connection for a server's steps."""

    @abstractmethod
    def session(self) -> Session:
        """Return a session that sees what the test has written."""

    @abstractmethod
    def has(self, connection: Connection) -> bool:
        """Return whether a session's connection is to this place."""

    def as_if_committed(self) -> None:
        """Do what the database would if the session that has just ended had really committed."""


class InTransaction(Place):
    """The open transaction of the test's connection."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection, self._settings = connection, settings
        event.listen(connection, "commit", _refuse_to_commit)

    @cached_property
    def _joined(self) -> Joined:
        begin(self._connection)
        return database_joined(self._connection, self._settings)

    @contextmanager
    def opened(self) -> Iterator[tuple[Database, Connection]]:
        joined = self._joined
        with joined.connect() as connection:
            yield joined, connection
            connection.commit()

    def as_if_committed(self) -> None:
        with self._joined.connect() as connection:
            self._joined.fire_deferred(connection)

    def session(self) -> Session:
        return Session(self._connection, join_transaction_mode="create_savepoint")

    def has(self, connection: Connection) -> bool:
        return connection.connection.dbapi_connection is self._connection.connection.dbapi_connection


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


def place_of(bind: object, settings: Settings) -> Place:
    """Return the place that a test works in. Raises `NoTestDatabase` if jobs can't run there."""
    match bind:
        case Engine():
            return OnEngine(bind, settings)
        case Connection() if bind.in_transaction():
            return InTransaction(bind, settings)
        case Connection():
            raise NoTestDatabase("The connection is in no transaction, so what jobs write would be committed, or lost.")
        case _ if isinstance(connection := getattr(bind, "sync_connection", None), Connection):
            return place_of(connection, settings)
    raise NoTestDatabase(f"The fixture afterwork_bind gives {type(bind).__name__}.")


def _refuse_to_commit(connection: Connection) -> None:
    raise CommittedInTest()
