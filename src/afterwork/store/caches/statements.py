"""The statements on caches, the due queue and derived columns that differ by database."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Select, Update, bindparam, column, literal_column, select, table, update

from afterwork.errors import RowNotFound
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal.tracked_table import TrackedTable

StatementValues = Mapping[str, Any]

CLAIMED = (
    dues.c.cache, caches.c.root, caches.c.digest, caches.c.runs, dues.c.cause, dues.c.cause_cache, dues.c.depth,
    dues.c.attempts, dues.c.reread, dues.c.since, dues.c.waited,
)  # fmt: skip
"""The columns that a claim returns."""

DUE_COLUMNS = {
    "cache": "bigint", "derivation": "int", "due": "timestamptz", "since": "timestamptz", "cause": "text",
    "backfill": "bool", "cause_cache": "bigint", "depth": "int", "attempts": "int", "reread": "bool",
}  # fmt: skip
"""The columns of an entry of the queue, with their types on PostgreSQL."""

# A blocked cache comes before one that is due only later, and after one that is due already.
ON_ALREADY_DUE = (
    " ON CONFLICT (cache) DO UPDATE SET"
    " due = CASE"
    " WHEN afterwork_due.due >= {blocked} AND excluded.due < {blocked}"
    " THEN CASE WHEN excluded.due <= excluded.since THEN excluded.due ELSE afterwork_due.due END"
    " WHEN excluded.due >= {blocked} AND afterwork_due.due < {blocked}"
    " THEN CASE WHEN afterwork_due.due <= excluded.since THEN afterwork_due.due ELSE excluded.due END"
    " WHEN excluded.due < afterwork_due.due THEN excluded.due ELSE afterwork_due.due END,"
    " backfill = afterwork_due.backfill AND excluded.backfill,"
    " since = coalesce(afterwork_due.since, excluded.since),"
    " cause = excluded.cause, cause_cache = excluded.cause_cache, depth = excluded.depth,"
    " attempts = excluded.attempts, reread = afterwork_due.reread OR excluded.reread"
)
"""The merge of an entry into an earlier one; `blocked` is the due time from which on caches are blocked."""


def first_due() -> Select[Any]:
    """Return the query for the first due caches of a derivation, if its values come from this server's code."""
    c = dues.c
    has_code = derivations.c.id == bindparam("of"), derivations.c.checksum == bindparam("code")
    return (
        select(c.cache)
        .where(c.derivation == bindparam("of"), c.claim.is_(None), c.backfill == bindparam("is_backfill"))
        .where(c.due <= bindparam("now", type_=UtcDateTime()))
        .where(select(derivations.c.id).where(*has_code).exists())
        .order_by(c.due)
        .limit(bindparam("limit"))
    )


class CacheStatements(ABC):
    """The statements for one kind of database."""

    @abstractmethod
    def enqueue(self, connection: Connection, entries: Sequence[StatementValues]) -> None:
        """Enqueue caches. A cache that is in the queue already runs at the earlier of the two times."""

    @abstractmethod
    def claim(self, connection: Connection, values: StatementValues) -> Sequence[Sequence[Any]]:
        """Claim the first due caches, in a transaction of its own. Return the `CLAIMED` columns of each."""

    @abstractmethod
    def end(self, connection: Connection, claim: str, caches: Collection[int]) -> set[int]:
        """End the claims of caches that have run. Return those that were still claimed."""

    @abstractmethod
    def ran(self, connection: Connection, shared: StatementValues, each: Sequence[StatementValues]) -> None:
        """Write the results of runs: values that are the same for all, and those that each has of its own."""


Rows = Sequence[tuple[tuple[Any, ...], Any]]
"""Pairs of a primary key and a value."""


class ColumnWriter:
    """Sets one column of rows by their keys, whose parts are in the order of the columns `key`.

    Columns that the model writes with every update are left alone.
    """

    def __init__(self, target: TrackedTable, key: Sequence[Column[Any]], member: Column[Any]) -> None:
        self.target, self.key, self.member = target, key, member
        self._one = DirectStatement(self._by_key().returning(literal_column("1")))

    def write(self, connection: Connection, rows: Rows) -> None:
        """Write values. Raises `RowNotFound` if a row is gone."""
        is_single = len(rows) == 1
        written = (
            len(self._one.execute(connection, _values(*rows[0]))) if is_single else self.write_many(connection, rows)
        )
        if written < len(rows):
            raise RowNotFound(self.target.table.fullname, rows[0][0], len(rows), written)

    def write_many(self, connection: Connection, rows: Rows) -> int:
        """Write several values. Return the number of rows that exist."""
        return connection.execute(self._by_key(), [_values(*row) for row in rows]).rowcount

    def _by_key(self) -> Update:
        bare = self.bare
        # Parameters with names that no column of the application has.
        keys = (bare.c[key.name] == bindparam(f"afterwork_key_{n}", type_=key.type) for n, key in enumerate(self.key))
        value = bindparam("afterwork_value", type_=self.member.type)
        return update(bare).where(*keys).values({self.member.name: value})

    @property
    def bare(self) -> Any:
        """Return the table without the defaults and other extras of the model."""
        columns = (column(part.name, part.type) for part in (*self.target.key, self.member))
        return table(self.target.table.name, *columns, schema=self.target.table.schema)


def _values(key: tuple[Any, ...], value: Any) -> dict[str, Any]:
    return {"afterwork_value": value} | {f"afterwork_key_{n}": part for n, part in enumerate(key)}
