"""What a SQLite file shows of the captured tables.

A table whose rows were changed with no trigger fired was made again, and its triggers with it: so one goes about many
changes of a table, triggers of the same text included. SQLite has no number that tells them from those before. But its
list of tables and triggers keeps their order, also through VACUUM. So a table and a trigger are made at the end of each
installation and of each look, and what is listed behind them was made later.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, text

from afterwork.store.journal.continuity import CatalogMark, CatalogState

LAST = "afterwork_last"
LAST_TRIGGER = "afterwork_last_made"

_CAPTURED = text("SELECT id, name FROM afterwork_tracked_table WHERE installed IS NOT NULL")
_LISTED = text(
    "SELECT lower(type) AS type, name, rowid AS place, sql FROM sqlite_master"
    " WHERE type = 'table' OR type = 'trigger' AND name LIKE 'afterwork!_%' ESCAPE '!'"
)
_VERSION = "(SELECT CAST(schema_version AS TEXT) FROM pragma_schema_version)"
"""A number that each change of any table or trigger makes another."""

HAS_CHANGED = text(
    f"SELECT 1 FROM afterwork_tracked_table WHERE installed IS NOT NULL AND fingerprint IS NOT {_VERSION}"
)
"""Tells whether any table or trigger was changed since the captured ones were looked at last."""


def settle(connection: Connection) -> None:
    """Make what is listed last."""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {LAST}")
    connection.exec_driver_sql(f"CREATE TABLE {LAST} (unused)")
    connection.exec_driver_sql(f"CREATE TRIGGER {LAST_TRIGGER} AFTER INSERT ON {LAST} BEGIN SELECT 1; END")


def trigger_name(table_id: int, event: str) -> str:
    """The name of a trigger."""
    return f"afterwork_{table_id}_{event}"


def catalog_states(connection: Connection, events: Sequence[str]) -> Mapping[int, CatalogState]:
    """What the file shows of each captured table."""
    version = connection.exec_driver_sql(f"SELECT {_VERSION}").scalar_one()
    rows = {(row.type, row.name.lower()): row for row in connection.execute(_LISTED)}
    tables, triggers = (_LastListed(rows.get(("table", LAST))), _LastListed(rows.get(("trigger", LAST_TRIGGER))))
    found = {}
    for table_id, name in connection.execute(_CAPTURED):
        table = rows.get(("table", name.rpartition(".")[2].lower()))
        there = {one: rows.get(("trigger", one)) for one in (trigger_name(table_id, event) for event in events)}
        marks: dict[str, dict[str, CatalogMark]] = {"table": {}, "trigger": {}}
        if table is not None:
            marks["table"][""] = CatalogMark(tables.place(table), name)
        for one, row in there.items():
            if row is not None:
                marks["trigger"][one] = CatalogMark(f"{triggers.place(row)} {_digest(row.sql)}", f"{one} of {name}")
        missing = [f"trigger {one} of {name} is missing" for one, row in there.items() if row is None]
        found[table_id] = CatalogState(marks, version, () if table is None else tuple(missing))
    return found


class _LastListed:
    """What was made last of all tables, or of all triggers."""

    def __init__(self, row: Any) -> None:
        self._place = 0 if row is None else int(row.place)

    def place(self, row: Any) -> str:
        """Where something is listed: empty if that is where it was when the table was seen to."""
        return "" if row.place < self._place else f"behind {row.place - self._place}"


def _digest(sql: str) -> str:
    return blake2b(sql.encode(), digest_size=8).hexdigest()
