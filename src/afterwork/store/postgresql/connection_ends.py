"""The notice that PostgreSQL sends when it ends a connection.

If one process of PostgreSQL crashes, it ends all connections, and sends each a notice. The connection whose own process
crashed gets none. So a notice says two things: the database crashed rather than being stopped, and whoever used this
connection did not cause it, unless through a parallel worker.

Any other reason is an error that the driver raises once: whoever uses the connection next may be told nothing.
"""

from typing import Any
from weakref import WeakKeyDictionary, WeakSet, ref

from psycopg import Error
from psycopg.errors import CrashShutdown, Diagnostic
from sqlalchemy import Connection


class ConnectionEnds:
    """Remembers why connections have ended. Its methods are called from any thread."""

    def __init__(self) -> None:
        self._crashed: WeakSet[Connection] = WeakSet()
        self._states: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()

    def listen(self, connection: Connection) -> None:
        """Listen on a connection that has just been made, or made again."""
        self._crashed.discard(connection)
        self._states.pop(connection, None)
        crashed, recipient = self._crashed, ref(connection)

        def hear(notice: Diagnostic) -> None:
            heard_by = recipient()
            if notice.sqlstate == CrashShutdown.sqlstate and heard_by is not None:
                crashed.add(heard_by)

        driver: Any = connection.connection.dbapi_connection
        driver.add_notice_handler(hear)

    def note(self, connection: Connection, error: Error) -> None:
        """Note an error that the driver raises only once."""
        if error.sqlstate is not None:
            self._states[connection] = error.sqlstate

    def by_crash(self, connection: Connection) -> bool:
        """Return whether a connection ended because another one's process crashed."""
        return connection in self._crashed

    def state(self, connection: Connection) -> str | None:
        """Return the SQLSTATE of an error that was noted."""
        return self._states.get(connection)
