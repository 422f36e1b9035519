"""The catalog state of the captured tables of a SQLite file.

A table whose rows were changed without firing triggers was recreated together with its triggers: that is how many
changes of a table are made, even with triggers of the same text. SQLite has no number that distinguishes them from the
earlier ones. But its list of tables and triggers keeps their order, even through VACUUM. So a table and a trigger are
created at the end of each installation and of each look, and anything listed behind them was created later. A file that
is made of a dump has the same list. But one row of Afterwork's has a number that no dump has.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, text

from afterwork.store.journal.capture import LAST_RESTORE
from afterwork.store.journal.continuity import CatalogMark, CatalogState

LAST = "afterwork_last"
LAST_TRIGGER = "afterwork_last_made"

_CAPTURED = text("SELECT id, name FROM afterwork_tracked_table WHERE installed IS NOT NULL")
_LISTED = text(
    "SELECT lower(type) AS type, name, rowid AS place, sql FROM sqlite_master"
    " WHERE type = 'table' OR type = 'trigger' AND name LIKE 'afterwork!_%' ESCAPE '!'"
)
FIRST_PLACE = 1 << 40

_PLACE = "(SELECT rowid FROM afterwork_installation WHERE name = 'installation')"
"""The number of a row that VACUUM and copies of the file keep. A dump lacks it: rows that are restored count from 1."""

_VERSION = "(SELECT CAST(schema_version AS TEXT) FROM pragma_schema_version)"
"""A number that changes with each change of any table or trigger."""

GLANCE = text(
    "SELECT EXISTS (SELECT 1 FROM afterwork_tracked_table"
    f" WHERE installed IS NOT NULL AND (fingerprint IS NOT {_VERSION} OR {_PLACE} < {FIRST_PLACE})), {LAST_RESTORE}"
)
"""The query for whether any table or trigger has changed since the last inspection, and for the last restore."""


def mark_inspected(connection: Connection) -> None:
    """Recreate the table and the trigger that mark the end of the list. Give a restored file a place of its own."""
    connection.exec_driver_sql(
        f"UPDATE afterwork_installation SET rowid = {FIRST_PLACE} + abs(random() % {FIRST_PLACE})"
        f" WHERE name = 'installation' AND rowid < {FIRST_PLACE}"
    )
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {LAST}")
    connection.exec_driver_sql(f"CREATE TABLE {LAST} (unused)")
    connection.exec_driver_sql(f"CREATE TRIGGER {LAST_TRIGGER} AFTER INSERT ON {LAST} BEGIN SELECT 1; END")


def trigger_name(table_id: int, event: str) -> str:
    return f"afterwork_{table_id}_{event}"


def catalog_states(connection: Connection, events: Sequence[str]) -> Mapping[int, CatalogState]:
    version, place = connection.exec_driver_sql(f"SELECT {_VERSION}, {_PLACE}").one()
    rows = {(row.type, row.name.lower()): row for row in connection.execute(_LISTED)}
    tables, triggers = (_LastListed(rows.get(("table", LAST))), _LastListed(rows.get(("trigger", LAST_TRIGGER))))
    states = {}
    for table_id, name in connection.execute(_CAPTURED):
        table = rows.get(("table", name.rpartition(".")[2].lower()))
        more = {name for kind, name in rows if kind == "trigger" and name.startswith(trigger_name(table_id, ""))}
        names = sorted({trigger_name(table_id, event) for event in events} | more)
        trigger_rows = {trigger: rows.get(("trigger", trigger)) for trigger in names}
        journal = CatalogMark(str(place), "")
        marks: dict[str, dict[str, CatalogMark]] = {"journal": {"": journal}, "table": {}, "trigger": {}}
        if table is not None:
            marks["table"][""] = CatalogMark(tables.place(table), name)
        for trigger, row in trigger_rows.items():
            if row is not None:
                value = f"{triggers.place(row)} {_digest(row.sql)}"
                marks["trigger"][trigger] = CatalogMark(value, f"{trigger} of {name}")
        missing = [f"trigger {trigger} of {name} is missing" for trigger, row in trigger_rows.items() if row is None]
        states[table_id] = CatalogState(marks, version, () if table is None else tuple(missing))
    return states


class _LastListed:
    """The table or trigger that was created last."""

    def __init__(self, row: Any) -> None:
        self._place = 0 if row is None else int(row.place)

    def place(self, row: Any) -> str:
        """Return the position of an entry; empty if it precedes the marker of the last inspection."""
        return "" if row.place < self._place else f"behind {row.place - self._place}"


def _digest(sql: str) -> str:
    return blake2b(sql.encode(), digest_size=8).hexdigest()
