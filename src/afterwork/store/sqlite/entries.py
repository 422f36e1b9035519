"""The journal on SQLite: with a single writer at a time, a number tells which changes were seen."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column, text

from afterwork.store.direct import Direct
from afterwork.store.journal.change import JournalEntry, key_as_bytes
from afterwork.store.journal.entries import NOW, Entries, Literals, counts
from afterwork.store.sqlite.database import LAST_CHANGE

# Text that is not UTF-8 would keep the driver from reading any of it.
_AS_BYTES = {
    "key": f"{key_as_bytes('key')} AS key",
    **{name: f"CAST({name} AS BLOB) AS {name}" for name in ("key_text", "old", "new")},
}
_NAMES = ", ".join(JournalEntry._fields)
_COUNTS = counts(Literals("0", "1", "(SELECT value AS id FROM json_each(:mine))"))
_LAST = text(LAST_CHANGE)
_CLEAR = Direct(text("DELETE FROM afterwork_journal WHERE id <= :last"))


class SQLiteEntries(Entries):
    """The statements on the journal of a SQLite file."""

    columns = ", ".join(_AS_BYTES.get(name, name) for name in JournalEntry._fields)

    def take_statements(self, limit: int) -> list[Direct]:
        first = f"SELECT * FROM afterwork_journal ORDER BY id LIMIT {limit}"
        kept = text(
            f"INSERT INTO afterwork_recent ({_NAMES}) SELECT {_NAMES} FROM ({first}) AS taken"
            f" WHERE {self.is_needed('taken')}"
        )
        taken = text(f"SELECT {self.columns}, {_COUNTS} FROM ({first})").bindparams(NOW)
        return [Direct(kept), Direct(taken)]

    def clear(self, connection: Connection, last: JournalEntry) -> None:
        _CLEAR.execute(connection, {"last": last.id})

    def seen(self, entry: str, snapshot: str) -> str:
        return f"{entry}.id <= {snapshot}"

    @property
    def seen_by_now(self) -> ColumnElement[Any]:
        return literal_column("0")

    def seen_by_writer(self, connection: Connection, snapshot: Any) -> tuple[Any, int | None]:
        return connection.execute(_LAST).scalar_one(), None
