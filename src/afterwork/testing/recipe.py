"""SQLAlchemy's recipe for tests: one connection, whose transaction is rolled back at the end."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, overload

from sqlalchemy import Connection, Engine

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


@overload
def rolled_back(engine: Engine) -> AbstractContextManager[Connection]: ...
@overload
def rolled_back(engine: "AsyncEngine") -> "AbstractAsyncContextManager[AsyncConnection]": ...
def rolled_back(
    engine: "Engine | AsyncEngine",
) -> "AbstractContextManager[Connection] | AbstractAsyncContextManager[AsyncConnection]":
    """Open a connection whose transaction is rolled back at the end of the block, whatever its sessions commit.

        with rolled_back(engine) as connection:
            session = Session(connection, join_transaction_mode="create_savepoint")

    With an AsyncEngine it is an `async with`. On SQLite it also begins the transaction, which its driver does only when
    something is written: without that, the first session's savepoint would be all of it, and its commit final.
    """
    return _rolled_back(engine) if isinstance(engine, Engine) else _rolled_back_async(engine)


@contextmanager
def _rolled_back(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        transaction = connection.begin()
        begin(connection)
        try:
            yield connection
        finally:
            transaction.rollback()


@asynccontextmanager
async def _rolled_back_async(engine: "AsyncEngine") -> "AsyncIterator[AsyncConnection]":
    async with engine.connect() as connection:
        transaction = await connection.begin()
        await connection.run_sync(begin)
        try:
            yield connection
        finally:
            await transaction.rollback()


def begin(connection: Connection) -> None:
    """Begin the driver's transaction, if it is SQLite's and has not begun."""
    if not is_begun(connection):
        connection.exec_driver_sql("BEGIN")


def is_begun(connection: Connection) -> bool:
    """Return whether the driver is in its transaction, or begins it by itself before anything else."""
    driver: Any = connection.connection.dbapi_connection
    return connection.dialect.name != "sqlite" or bool(getattr(driver, "driver_connection", driver).in_transaction)
