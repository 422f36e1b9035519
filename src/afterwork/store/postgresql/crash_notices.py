"""Notices of crashes: if one process of PostgreSQL crashes, it ends all connections, and sends each a notice.

The connection whose own process crashed gets none. So a notice says two things: the database crashed rather than being
stopped, and whoever used this connection did not cause it, unless through a parallel worker.
"""

from typing import Any
from weakref import WeakSet, ref

from psycopg.errors import CrashShutdown, Diagnostic
from sqlalchemy import Connection


class CrashNotices:
    """Remembers the connections that got such a notice. Its methods are called from any thread."""

    def __init__(self) -> None:
        self._told: WeakSet[Connection] = WeakSet()

    def listen(self, connection: Connection) -> None:
        """Listen on a connection that has just been made, or made again."""
        self._told.discard(connection)
        told, recipient = self._told, ref(connection)

        def hear(notice: Diagnostic) -> None:
            heard_by = recipient()
            if notice.sqlstate == CrashShutdown.sqlstate and heard_by is not None:
                told.add(heard_by)

        driver: Any = connection.connection.dbapi_connection
        driver.add_notice_handler(hear)

    def were_heard(self, connection: Connection) -> bool:
        return connection in self._told
