"""PostgreSQL inside somebody else's transaction.

Elsewhere the numbers of transactions tell which changes a calculation has seen, and which ones it made itself. Here all
are made by one transaction. So before and after each part, whatever has its number gets one of its own instead, higher
than that of any transaction, and rolled back with all the rest. A snapshot is then the number of the next part.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, event, text

from afterwork.settings import Settings
from afterwork.store.joined import Joined
from afterwork.store.postgresql.database import IN_TRANSACTION, PostgreSQL

FIRST_PART = 1 << 60
"""The number of the first part."""

READING = "afterwork_reading"

_ME = "pg_current_xact_id()"

_NUMBER = text(f"""
WITH journal AS (UPDATE afterwork_journal SET tx = CAST(CAST(:part AS text) AS xid8) WHERE tx = {_ME}),
    recent AS (UPDATE afterwork_recent SET tx = CAST(CAST(:part AS text) AS xid8) WHERE tx = {_ME})
UPDATE afterwork_cache SET own = CASE WHEN own = {_ME} THEN CAST(CAST(:part AS text) AS xid8) ELSE own END,
    wrote = CASE WHEN wrote = {_ME} THEN CAST(CAST(:part AS text) AS xid8) ELSE wrote END
WHERE own = {_ME} OR wrote = {_ME}
""")

_DEFERRED = text(
    "SELECT string_agg(quote_ident(nspname) || '.' || quote_ident(tgname), ', ') FROM pg_trigger"
    " JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE tgrelid = to_regclass('afterwork_committing') AND tgdeferrable"
)


_CAST = re.compile(r"CAST\(\$(\d+) AS ([^()]+)\)")


class JoinedPostgreSQL(Joined, PostgreSQL):
    """A PostgreSQL database, as one open transaction sees it. Its parts have numbers in the order of their ends."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        super().__init__(connection, settings)
        self._part = FIRST_PART
        if self.engine.dialect.driver == "asyncpg":
            event.listen(self.engine, "before_cursor_execute", _by_texts, retval=True)

    def execute_begin(self, connection: Connection, first: Sequence[str] = ()) -> None:
        self._number(connection)
        super().execute_begin(connection, first)

    def execute_end(self, connection: Connection) -> None:
        self._number(connection)
        super().execute_end(connection)

    def _number(self, connection: Connection) -> None:
        """Give its number to the part that has just ended."""
        connection.execute(_NUMBER, {"part": str(self._part)})
        self._part += 1

    def seen(self, connection: Connection) -> Any:
        return f"{self._part}:{self._part}:"  # as PostgreSQL writes a snapshot that sees all lower numbers

    def fire_deferred(self, connection: Connection) -> None:
        names = connection.execute(_DEFERRED).scalar()
        if names:
            connection.exec_driver_sql(f"SET CONSTRAINTS {names} IMMEDIATE")
            connection.exec_driver_sql(f"SET CONSTRAINTS {names} DEFERRED")
        connection.commit()

    @contextmanager
    def reading_part(self, connection: Connection) -> Iterator[None]:
        connection.exec_driver_sql(f"SAVEPOINT {READING}")
        connection.exec_driver_sql("SET LOCAL transaction_read_only = on")
        try:
            yield
        finally:
            if self._parts.is_open:  # false if a job has rolled back, which is reported elsewhere
                connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {READING}")
                connection.exec_driver_sql(f"RELEASE SAVEPOINT {READING}")

    @contextmanager
    def unprepared(self, connection: Connection) -> Iterator[None]:
        yield  # no migration comes in between

    def is_open(self, driver: Any) -> bool:
        if hasattr(driver, "is_in_transaction"):  # asyncpg
            return bool(driver.is_in_transaction())
        return TransactionStatus(driver.info.transaction_status) in IN_TRANSACTION


def _by_texts(connection: Connection, cursor: Any, statement: str, given: Any, *others: Any) -> tuple[str, Any]:
    """Give texts to casts: for `CAST($1 AS …)`, asyncpg would take a value of that type, and nothing else."""
    if not isinstance(given, tuple):
        return statement, given
    values = list(given)

    def cast(match: re.Match[str]) -> str:
        place = int(match[1]) - 1
        if match[2] == "text" and isinstance(values[place], int):
            values[place] = str(values[place])
        is_text = isinstance(values[place], str) and match[2] != "text"
        return f"CAST(CAST(${match[1]} AS text) AS {match[2]})" if is_text else match[0]

    return _CAST.sub(cast, statement), tuple(values)
