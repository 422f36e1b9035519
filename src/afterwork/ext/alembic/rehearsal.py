"""Rehearsals: an empty database, on which a script is run before anybody runs it where it is meant for."""

import re
import sqlite3
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, Dialect, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from afterwork.errors import NotRehearsed
from afterwork.store.literal_sql import dollar_quoted

FIRST_OWN_TYPE = 16384
"""The lowest number of a type that is not PostgreSQL's own. Other databases have other numbers from here on."""

_TYPES = text(
    "SELECT t.oid::int8 AS number, quote_literal(format('%I.%I', n.nspname, t.typname)) AS name"
    " FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid >= :first"
)

_TOUCH = "INSERT INTO afterwork_committing (tx) SELECT pg_current_xact_id() ON CONFLICT DO NOTHING"


@dataclass(frozen=True)
class TransactionFrame:
    """The statements around those of an installation, which make them one transaction."""

    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()

    def around(self, statements: Sequence[str]) -> list[str]:
        return [*self.before, *statements, *self.behind]


class Rehearsal(ABC):
    """An empty database, whose only connection commits by itself unless the script says otherwise."""

    Error: type[Exception]
    """The errors of its driver."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.driver: Any = connection.connection.dbapi_connection

    @abstractmethod
    def run(self, script: str) -> None:
        """Run a piece of a script, as an administrator does."""

    @property
    @abstractmethod
    def is_in_transaction(self) -> bool:
        """Return whether the script has an open transaction."""

    @property
    @abstractmethod
    def frame(self) -> TransactionFrame:
        """Return what makes statements a transaction, where the script is in none."""

    @contextmanager
    def transaction(self) -> Iterator[TransactionFrame]:
        """Be in a transaction for the block: in that of the script, or else in one that the script gets then."""
        frame = TransactionFrame() if self.is_in_transaction else self.frame
        for statement in frame.before:
            self.run(statement)
        yield frame
        for statement in frame.behind:
            self.run(statement)

    def portable(self, statements: Sequence[str]) -> Sequence[str]:
        """Return statements as they mean the same in other databases."""
        return statements


class SQLiteRehearsal(Rehearsal):
    """A database in memory."""

    Error = sqlite3.Error

    def run(self, script: str) -> None:
        rest = script
        while rest.strip():
            statement, rest = _first_statement(rest)
            self.driver.execute(statement)

    @property
    def is_in_transaction(self) -> bool:
        return bool(self.driver.in_transaction)

    @property
    def frame(self) -> TransactionFrame:
        return TransactionFrame(("PRAGMA journal_mode = WAL;", "BEGIN IMMEDIATE;"), ("COMMIT;",))


def _first_statement(script: str) -> tuple[str, str]:
    """Return the first statement of a script, which may be a trigger with statements of its own, and the rest."""
    for end in re.finditer(";", script):
        if sqlite3.complete_statement(script[: end.end()]):
            return script[: end.end()], script[end.end() :]
    return script, ""


class PostgreSQLRehearsal(Rehearsal):
    """A new database of a server."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        from psycopg import Error

        self.Error = Error

    def run(self, script: str) -> None:
        self.driver.execute(script, prepare=False)

    @property
    def is_in_transaction(self) -> bool:
        return bool(self.driver.info.transaction_status)

    @property
    def frame(self) -> TransactionFrame:
        return TransactionFrame(("BEGIN;",), ("COMMIT;",))

    @contextmanager
    def transaction(self) -> Iterator[TransactionFrame]:
        """Be in a transaction that has written, as it may have where the tables are not empty."""
        with super().transaction() as frame:
            if self.connection.exec_driver_sql("SELECT to_regclass('afterwork_committing')").scalar():
                self.run(_TOUCH)
            yield frame

    def portable(self, statements: Sequence[str]) -> Sequence[str]:
        """Let statements look up the numbers of types that have others in each database."""
        types = {str(row.number): row.name for row in self.connection.execute(_TYPES, {"first": FIRST_OWN_TYPE})}
        return [_with_numbers_of_there(statement, types) for statement in statements]


def _with_numbers_of_there(statement: str, types: dict[str, str]) -> str:
    """Return a statement which runs one with the numbers that types have where it runs."""
    named = [number for number in dict.fromkeys(re.findall(r"\d+", statement)) if number in types]
    if not named:
        return statement
    numbered = dollar_quoted(statement)
    for number in named:
        numbered = f"regexp_replace({numbered}, '\\y{number}\\y', {types[number]}::regtype::oid::text, 'g')"
    return f"DO {dollar_quoted(f'BEGIN EXECUTE {numbered}; END')};"


@contextmanager
def rehearsal_on(dialect: Dialect, server: URL | None) -> Iterator[Rehearsal]:
    """Provide a rehearsal for scripts of a dialect. PostgreSQL's is on a `server`. Raises `NotRehearsed`."""
    match dialect.name:
        case "sqlite":
            with _connection(URL.create("sqlite")) as connection:
                yield SQLiteRehearsal(connection)
        case "postgresql" if server is None:
            raise NotRehearsed("env.py names no server of PostgreSQL.")
        case "postgresql":
            assert server is not None
            with _new_database(server) as url, _connection(url) as connection:
                yield PostgreSQLRehearsal(connection)
        case name:
            raise NotRehearsed(f"Afterwork runs on SQLite and PostgreSQL, not on {name}.")


@contextmanager
def _new_database(server: URL) -> Iterator[URL]:
    """Provide a new database on a server, which is dropped in the end."""
    url, name = server.set(drivername="postgresql+psycopg"), f"afterwork_rehearsal_{uuid.uuid4().hex}"
    try:
        with _connection(url) as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except (SQLAlchemyError, ImportError) as error:
        raise NotRehearsed(
            f"No database for a rehearsal can be created on {url.host or 'the server'}: {error}"
        ) from error
    try:
        yield url.set(database=name)
    finally:
        with _connection(url) as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")


@contextmanager
def _connection(url: URL) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
