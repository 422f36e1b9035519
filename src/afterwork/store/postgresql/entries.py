"""The journal on PostgreSQL: changes become visible in any order, so snapshots tell which ones were seen."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column, text

from afterwork.store.database import NOT_LONG
from afterwork.store.direct import Direct
from afterwork.store.journal.change import JournalEntry
from afterwork.store.journal.entries import NOW, Entries, Literals, counts

# The lock is on a table that is hardly ever written. Unlike other statements, LOCK takes no snapshot, so that even a
# transaction with a single one sees what the lock's previous holder has done.
_TO_TAKE = "LOCK TABLE afterwork_installation IN EXCLUSIVE MODE", "SET LOCAL synchronous_commit = off"
_MINE = "(SELECT CAST(value AS int) AS id FROM json_array_elements_text(CAST(:mine AS json)))"
_COUNTS = counts(Literals("false", "true", _MINE))
_OWN = text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")


class PostgreSQLEntries(Entries):
    """The statements on the journal of a PostgreSQL database."""

    columns = ", ".join(JournalEntry._fields)
    snapshot_parameter = "CAST(:snapshot AS pg_snapshot)"
    to_take = _TO_TAKE
    to_take_and_end = (*_TO_TAKE, NOT_LONG)
    to_end = ("LOCK TABLE afterwork_installation IN ROW SHARE MODE", NOT_LONG)

    @property
    def to_change_code(self) -> Sequence[str]:
        return (_TO_TAKE[0], f"LOCK TABLE {self.claims} IN SHARE ROW EXCLUSIVE MODE")

    def take_statements(self, limit: int) -> list[Direct]:
        # The first ones, wherever they are stored: the deletion and recreation of an object must come in this order.
        first = f"SELECT ctid FROM afterwork_journal ORDER BY id LIMIT {limit}"
        taken = text(
            f"WITH taken AS (DELETE FROM afterwork_journal WHERE ctid = ANY (ARRAY({first}))"
            f" RETURNING {self.columns}),"
            f" kept AS (INSERT INTO afterwork_recent ({self.columns}) SELECT {self.columns} FROM taken"
            f" WHERE {self.is_needed('taken')})"
            f" SELECT {self.columns}, {_COUNTS} FROM taken ORDER BY id"
        ).bindparams(NOW)
        return [Direct(taken)]

    def seen(self, entry: str, snapshot: str) -> str:
        return f"pg_visible_in_snapshot({entry}.tx, {snapshot})"

    @property
    def seen_by_now(self) -> ColumnElement[Any]:
        return literal_column("pg_current_snapshot()")

    def seen_by_writer(self, connection: Connection, snapshot: Any) -> tuple[Any, int | None]:
        return snapshot, int(connection.execute(_OWN).scalar_one())
