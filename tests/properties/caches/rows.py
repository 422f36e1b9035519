"""All rows of the model's tables, and what a writing has changed of them."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, text

from tests.properties.caches.looks import Change, State
from tests.properties.caches.model import Base
from tests.properties.caches.writes import EMPTIES, REPLACES

Writing = tuple[str, int, int, int]
"""An act, and the numbers that it takes."""

TABLES: dict[str, Table] = {
    table.name: table for table in Base.metadata.sorted_tables if table.name not in ("noise", "sys_async_ticket")
}
USERS_TABLES = [table for table in Base.metadata.sorted_tables if "ticket" not in table.name]
OWN_TABLES = ("cache", "due", "manifest", "journal", "recent", "server", "touch")

_ROWS = {name: f"SELECT {', '.join(table.columns.keys())} FROM {name}" for name, table in TABLES.items()}

_EVERYTHING = text(
    "SELECT " + ", ".join(f"(SELECT coalesce(json_agg(t), '[]') FROM {name} t) AS {name}" for name in TABLES)
)


def all_rows(connection: Connection) -> State:
    """All rows, as a transaction sees them."""
    on_sqlite = connection.dialect.name == "sqlite"
    found = _rows_of_a_file(connection) if on_sqlite else connection.execute(_EVERYTHING).one()._asdict()
    return {name: {_key(name, one): one for one in rows} for name, rows in found.items()}


def _rows_of_a_file(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """By the driver alone, which takes a tenth of the time."""
    driver: Any = connection.connection.dbapi_connection
    return {
        name: [dict(zip(table.columns.keys(), row, strict=True)) for row in driver.execute(_ROWS[name])]
        for name, table in TABLES.items()
    }


def _key(table: str, row: dict[str, Any]) -> Any:
    key = tuple(row[column.name] for column in TABLES[table].primary_key)
    return key if len(key) > 1 else key[0]


def changes(writing: Writing, before: State, after: State, on_sqlite: bool) -> Iterator[Change]:
    emptied = EMPTIES.get(writing[0])
    if emptied and not on_sqlite:
        yield Change(emptied, None, {}, {}, emptied=True)
    replaced, needed = REPLACES.get(writing[0], (None, None))
    if needed is not None and writing[2] not in before[needed]:
        replaced = None
    for table in TABLES:
        old, new = before[table], after[table]
        for key in old.keys() | new.keys():
            if table == replaced and key == writing[1] and on_sqlite and key in old and key in new:
                yield Change(table, key, old[key], None)
                yield Change(table, key, None, new[key])
            elif old.get(key) != new.get(key):
                yield Change(table, key, old.get(key), new.get(key))
