"""The journal on PostgreSQL: changes become visible in any order, so snapshots tell which ones were seen.

A table is walked by PostgreSQL's comparison of keys, or by their texts if a type has none.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column, text

from afterwork.store.database import NOT_LONG
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal.change import JournalEntry
from afterwork.store.journal.entries import NOW, Entries, Literals, counts
from afterwork.store.journal.key_walk import KeyWalk
from afterwork.store.journal.text_forms import OTHER
from afterwork.store.literal_sql import dollar_quoted, execute_literally

# The lock is on a table that is hardly ever written. Unlike other statements, LOCK takes no snapshot, so that even a
# transaction with a single one sees what the lock's previous holder has done.
_TAKE_ALONE = "LOCK TABLE afterwork_installation IN EXCLUSIVE MODE"
_MINE = "(SELECT CAST(value AS int) AS id FROM json_array_elements_text(CAST(:mine AS json)))"
_COUNTS = counts(Literals("false", "true", _MINE))
_OWN = text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")


class PostgreSQLEntries(Entries):
    columns = ", ".join(JournalEntry._fields)
    snapshot_parameter = "CAST(:snapshot AS pg_snapshot)"
    to_install = ("LOCK TABLE afterwork_tracked_table IN SHARE ROW EXCLUSIVE MODE",)
    to_be_brief = ("SET LOCAL lock_timeout = '1s'",)
    # A migration that has locked a table may be about to install, and so waits for who takes.
    to_take = (_TAKE_ALONE, "SET LOCAL synchronous_commit = off", NOT_LONG)
    to_end = ("LOCK TABLE afterwork_installation IN ROW SHARE MODE", NOT_LONG)

    @property
    def to_change_code(self) -> Sequence[str]:
        return (_TAKE_ALONE, f"LOCK TABLE {self.claims} IN SHARE ROW EXCLUSIVE MODE")

    def take_statements(self, limit: int) -> list[DirectStatement]:
        # The first ones, wherever they are stored: the deletion and recreation of an object must come in this order.
        first = f"SELECT ctid FROM afterwork_journal ORDER BY id LIMIT {limit}"
        taken = text(
            f"WITH taken AS (DELETE FROM afterwork_journal WHERE ctid = ANY (ARRAY({first}))"
            f" RETURNING {self.columns}),"
            f" kept AS (INSERT INTO afterwork_recent ({self.columns}) SELECT {self.columns} FROM taken"
            f" WHERE {self.is_needed('taken')})"
            f" SELECT {self.columns}, {_COUNTS} FROM taken ORDER BY id"
        ).bindparams(NOW)
        return [DirectStatement(taken)]

    def seen(self, entry: str, snapshot: str) -> str:
        return f"pg_visible_in_snapshot({entry}.tx, {snapshot})"

    @property
    def seen_by_now(self) -> ColumnElement[Any]:
        return literal_column("pg_current_snapshot()")

    def seen_by_writer(self, connection: Connection, snapshot: Any) -> tuple[Any, int | None]:
        return snapshot, int(connection.execute(_OWN).scalar_one())


FIRST_OF_EXTENSIONS = 16384
"""The lowest number of a type that does not come with PostgreSQL, whose own key types are all ordered."""

_WITHOUT_ORDER = text(
    "SELECT oid::bigint FROM pg_type WHERE oid::bigint = ANY(:numbers) AND typtype = 'b' AND typcategory <> 'A' AND NOT"
    " EXISTS (SELECT FROM pg_operator WHERE oprname = '>' AND oprleft = pg_type.oid AND oprright = pg_type.oid)"
)


class PostgreSQLKeyWalk(KeyWalk):
    def rows(self, last: Sequence[str], limit: int) -> Sequence[Sequence[str]]:
        unordered = self._unordered()
        keys = [f'{column}::text COLLATE "C"' if n in unordered else column for n, column in enumerate(self.columns)]
        order = ", ".join(keys)
        selected = ", ".join([self.key, *(f"{column}::text" for column in self.columns)])
        # Literals without types are read as the types of the columns. Not every driver sends parameters without types.
        beyond = f" WHERE ({order}) > ({', '.join(map(dollar_quoted, last))})" if last else ""
        statement = f"SELECT {selected} FROM {self.table} AS walked{beyond} ORDER BY {order} LIMIT {limit}"
        return execute_literally(self.connection, statement).all()

    def _unordered(self) -> set[int]:
        """Return the indexes of the key's columns whose types have no comparison: they are ordered by their texts."""
        numbers = {
            n: int(form.name.removeprefix(OTHER)) for n, form in enumerate(self.forms) if form.name.startswith(OTHER)
        }
        if not any(number >= FIRST_OF_EXTENSIONS for number in numbers.values()):
            return set()
        unordered = set(self.connection.execute(_WITHOUT_ORDER, {"numbers": list(numbers.values())}).scalars())
        return {n for n, number in numbers.items() if number in unordered}
