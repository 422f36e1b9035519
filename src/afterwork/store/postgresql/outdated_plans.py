"""Statements that stay prepared while a migration changes what they give: "cached plan must not change result type".

PostgreSQL refuses them from then on, and only a fresh statement helps. With a rollback the driver forgets all that are
prepared. Where there is no transaction to be rolled back, the statement is sent once more.
"""

from typing import Any, Self

from psycopg import Connection, Cursor
from psycopg.errors import FeatureNotSupported
from psycopg.pq import TransactionStatus

from afterwork.store.postgresql.role_limits import CHANGED

REFUSES = "RevalidateCachedQuery"
"""The function of PostgreSQL that refuses; unlike its message, the name is the same in all languages."""


def is_outdated(error: BaseException | None) -> bool:
    """Return whether the driver's error says that a statement was prepared before a migration."""
    return isinstance(error, FeatureNotSupported) and error.diag.source_function == REFUSES


def mend(connection: Connection[Any]) -> None:
    """Let a connection of a server's own send a statement again that a migration has outdated, and note who sets
    something there."""
    if connection.cursor_factory is Cursor:
        connection.cursor_factory = _OwnCursor


SETS = ("SET", "RESET", "DISCARD ALL")
"""What PostgreSQL answers to a statement that changes settings."""


class _OwnCursor(Cursor[Any]):
    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None, **others: Any) -> Self:
        try:
            super().execute(query, params, prepare=prepare, **others)
        except FeatureNotSupported as error:
            if not is_outdated(error) or self.connection.info.transaction_status != TransactionStatus.IDLE:
                raise
            super().execute("DEALLOCATE ALL")
            super().execute(query, params, prepare=prepare, **others)
        if self.statusmessage in SETS or (isinstance(query, str) and "set_config" in query):
            setattr(self.connection, CHANGED, True)
        return self
