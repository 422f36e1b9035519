"""The journal on SQLite: with a single writer at a time, a number tells which changes were seen.

In the walk through a table, keys can be null, or of another type than their column.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column, text

from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal.change import JournalEntry, key_as_bytes
from afterwork.store.journal.entries import NOW, Entries, Literals, counts
from afterwork.store.journal.key_walk import KeyWalk
from afterwork.store.sqlite.database import LAST_CHANGE

# Text that is not UTF-8 would keep the driver from reading any of it.
_AS_BYTES = {
    "key": f"{key_as_bytes('key')} AS key",
    **{name: f"CAST({name} AS BLOB) AS {name}" for name in ("key_text", "old", "new")},
}
_NAMES = ", ".join(JournalEntry._fields)
_COUNTS = counts(Literals("0", "1", "(SELECT value AS id FROM json_each(:mine))"))
_LAST = text(LAST_CHANGE)
_CLEAR = DirectStatement(text("DELETE FROM afterwork_journal WHERE id <= :last"))


class SQLiteEntries(Entries):
    columns = ", ".join(_AS_BYTES.get(name, name) for name in JournalEntry._fields)

    def take_statements(self, limit: int) -> list[DirectStatement]:
        first = f"SELECT * FROM afterwork_journal ORDER BY id LIMIT {limit}"
        kept = text(
            f"INSERT INTO afterwork_recent ({_NAMES}) SELECT {_NAMES} FROM ({first}) AS taken"
            f" WHERE {self.is_needed('taken')}"
        )
        taken = text(f"SELECT {self.columns}, {_COUNTS} FROM ({first})").bindparams(NOW)
        return [DirectStatement(kept), DirectStatement(taken)]

    def clear(self, connection: Connection, last: JournalEntry) -> None:
        _CLEAR.execute(connection, {"last": last.id})

    def seen(self, entry: str, snapshot: str) -> str:
        return f"{entry}.id <= {snapshot}"

    @property
    def seen_by_now(self) -> ColumnElement[Any]:
        return literal_column("0")

    def seen_by_writer(self, connection: Connection, snapshot: Any) -> tuple[Any, int | None]:
        return connection.execute(_LAST).scalar_one(), None


class SQLiteKeyWalk(KeyWalk):
    def rows(self, last: Sequence[str], limit: int) -> Sequence[Sequence[str]]:
        columns = self.columns
        # A row without any key is no object.
        conditions = [f"coalesce({', '.join([*columns, 'NULL'])}) IS NOT NULL"]
        if last:
            if last[0] != "NULL":
                conditions.append(f"{columns[0]} >= {last[0]}")
            conditions.append(f"({' OR '.join(_beyond(columns, last))})")
        selected = ", ".join([key_as_bytes(self.key), *map(_literal, columns)])
        where, order = " AND ".join(conditions), ", ".join(columns)
        statement = f"SELECT {selected} FROM {self.table} AS walked WHERE {where} ORDER BY {order} LIMIT {limit}"
        return self.connection.exec_driver_sql(statement).all()


def _literal(column: str) -> str:
    """Return SQL that writes a value as a literal; a text as bytes, since it may be invalid. The plus preserves its
    type, whatever it is compared with."""
    text = f"'+CAST(x''' || hex({column}) || ''' AS TEXT)'"
    return f"CASE typeof({column}) WHEN 'text' THEN {text} ELSE quote({column}) END"


def _beyond(columns: Sequence[str], last: Sequence[str]) -> Iterator[str]:
    """Yield the conditions for rows after the last one: a greater part of the key after equal ones. Nulls come
    first."""
    for place, (column, value) in enumerate(zip(columns, last, strict=True)):
        same = [f"{before} IS {known}" for before, known in zip(columns[:place], last[:place], strict=True)]
        greater = f"{column} IS NOT NULL" if value == "NULL" else f"{column} > {value}"
        yield " AND ".join([*same, greater])
