"""Watching for the ends of tickets on PostgreSQL, by a row for each ticket that somebody waits for.

A trigger notifies of the end of a ticket that has such a row. A transaction that has ended a ticket just before the row
was committed, and that has not committed yet itself, could not see it. It holds a lock on the ticket table, so it is
looked for among those that do, and the tickets are looked at until it is over.
"""

from collections.abc import Collection

from sqlalchemy import Connection, text

from afterwork.errors import NotGranted, NotInstalled
from afterwork.model.contract import Contract
from afterwork.store.database import Database
from afterwork.store.end_watch import EndWatch
from afterwork.store.journal.values import full_name
from afterwork.store.postgresql import rights, wake_trigger
from afterwork.store.postgresql.waker import FIRST_TRY_SECONDS, NotifyWaker

_ADD = text(
    "INSERT INTO afterwork_waiter (ticket, process) SELECT unnest(CAST(:keys AS text[])), pg_backend_pid()"
    " ON CONFLICT DO NOTHING"
)

_REMOVE = text("DELETE FROM afterwork_waiter WHERE ticket = ANY (CAST(:keys AS text[])) AND process = pg_backend_pid()")

_REMOVE_LOST = text(
    "DELETE FROM afterwork_waiter WHERE process = pg_backend_pid()"
    " OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = process)"
)

_WRITERS = text(
    "SELECT DISTINCT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND relation = to_regclass(:table) AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()"
)


class PostgreSQLEndWatch(EndWatch):
    """Listens for the ends of tickets. Raises `NotInstalled`, and `NotGranted` if the role may not wait."""

    def __init__(self, database: Database, connection: Connection, contract: Contract) -> None:
        _check(database, connection)
        super().__init__(NotifyWaker(connection, database.settings, wake_trigger.channel_of_ends(connection)))
        self._connection = connection
        self._table = full_name(contract.table)
        self._longest = database.settings.standby_poll.total_seconds()
        self._writers: frozenset[str] = frozenset()
        """The transactions that may have ended tickets before anybody could tell them to notify."""
        self._pause = FIRST_TRY_SECONDS
        # Whoever loses the rows loses the connection that they belong to, too.
        connection.exec_driver_sql("SET synchronous_commit = off")
        connection.execute(_REMOVE_LOST)
        connection.commit()

    def add(self, keys: Collection[str]) -> None:
        self._connection.execute(_ADD, {"keys": list(keys)})
        self._connection.commit()
        self._writers |= self._read_writers()
        self._pause = FIRST_TRY_SECONDS

    def remove(self, keys: Collection[str]) -> None:
        self._connection.execute(_REMOVE, {"keys": list(keys)})
        self._connection.commit()

    def wait(self, seconds: float) -> bool:
        if not self._writers:
            return super().wait(seconds)
        super().wait(min(seconds, self._pause))
        self._pause = min(2 * self._pause, self._longest)
        self._writers &= self._read_writers()
        return True

    def _read_writers(self) -> frozenset[str]:
        writers = frozenset(self._connection.execute(_WRITERS, {"table": self._table}).scalars())
        self._connection.commit()
        return writers


def _check(database: Database, connection: Connection) -> None:
    is_there = connection.execute(text("SELECT to_regclass('afterwork_waiter') IS NOT NULL")).scalar()
    lacking = rights.missing(connection, None, [rights.WAITING]) if is_there else []
    connection.commit()
    if not is_there:
        raise NotInstalled(str(database))
    if lacking:
        raise NotGranted(lacking[0].role, [lack.grant for lack in lacking])
