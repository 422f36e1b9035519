"""Prepared statements whose result a migration changes: "cached plan must not change result type".

PostgreSQL refuses them from then on, and only a fresh statement helps. A rollback makes the driver forget all prepared
statements. Outside of a transaction, the statement is sent once more.
"""

from typing import Any, Self

from psycopg import Connection, Cursor
from psycopg.errors import FeatureNotSupported
from psycopg.pq import TransactionStatus

from afterwork.store.postgresql.role_limits import CHANGED

REFUSES = "RevalidateCachedQuery"
"""The function of PostgreSQL that refuses; unlike its message, its name is the same in all languages."""


def is_outdated(error: BaseException | None) -> bool:
    """Return whether the driver's error says that a migration outdated a prepared statement."""
    return isinstance(error, FeatureNotSupported) and error.diag.source_function == REFUSES


def mend(connection: Connection[Any]) -> None:
    """Make a server's own connection resend statements that a migration outdated, and note changed settings."""
    if connection.cursor_factory is Cursor:
        connection.cursor_factory = _OwnCursor


SETS = ("SET", "RESET", "DISCARD ALL")
"""PostgreSQL's responses to statements that change settings."""


class _OwnCursor(Cursor[Any]):
    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None, **options: Any) -> Self:
        try:
            super().execute(query, params, prepare=prepare, **options)
        except FeatureNotSupported as error:
            if not is_outdated(error) or self.connection.info.transaction_status != TransactionStatus.IDLE:
                raise
            super().execute("DEALLOCATE ALL")
            super().execute(query, params, prepare=prepare, **options)
        if self.statusmessage in SETS or (isinstance(query, str) and "set_config" in query):
            setattr(self.connection, CHANGED, True)
        return self
