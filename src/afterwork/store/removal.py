"""The removal of all that Afterwork has made in a database: triggers, functions, indexes, tables."""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, inspect

from afterwork.store.caches.tables import cache
from afterwork.store.journal.values import quoted
from afterwork.store.postgresql import removal as postgresql
from afterwork.store.sqlite import removal as sqlite
from afterwork.store.sqlite.capture_marks import LAST
from afterwork.store.tables import metadata
from afterwork.store.tickets.columns import INDEX_NAME

PREFIX = "afterwork_"
"""The beginning of the names of all tables, indexes, triggers and functions."""


def own_tables() -> list[str]:
    """Return the names of all tables of Afterwork, as there may be in any database."""
    assert cache.metadata is metadata, "its module has added the tables of caches and of the journal"
    return [LAST, *(table.name for table in reversed(metadata.sorted_tables))]


def remove(connection: Connection) -> Iterator[str]:
    """Remove everything in the open transaction. Yields a line for each step."""
    kind = postgresql if connection.dialect.name == "postgresql" else sqlite
    own, schema = own_tables(), kind.schema_of(connection)
    yield from kind.drop_triggers(connection)
    for name, table, identifier in kind.named_indexes(connection):
        if table not in own and is_index_of(name, table):
            connection.exec_driver_sql(f"DROP INDEX {identifier}")
            yield f"index {name} dropped"
    for name in own:
        if inspect(connection).has_table(name, schema):
            connection.exec_driver_sql(f"DROP TABLE {f'{quoted(schema)}.' if schema else ''}{name}")
            yield f"table {name} dropped"


def is_index_of(name: str, table: str) -> bool:
    """Return whether an index bears the name of one that Afterwork makes on a ticket table."""
    return re.fullmatch(INDEX_NAME.format(re.escape(table.removeprefix(PREFIX))), name) is not None
