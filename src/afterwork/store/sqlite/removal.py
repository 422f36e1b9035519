"""Removal on SQLite of triggers and indexes on the application's tables, for good or for a migration."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from afterwork.store.journal.values import quoted

_TRIGGERS = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'afterwork!_%' ESCAPE '!'")

_IN_THE_WAY = text(
    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND (name LIKE 'afterwork!_commit!_%' ESCAPE '!'"
    " OR name LIKE 'afterwork!_%' ESCAPE '!' AND tbl_name = :table COLLATE NOCASE)"
)

_INDEXES = text(
    "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND name LIKE 'afterwork!_%' ESCAPE '!' ORDER BY 1"
)


def drop_triggers(connection: Connection) -> Iterator[str]:
    """Drop all triggers. Yields a line for each."""
    for name in connection.execute(_TRIGGERS).scalars().all():
        connection.exec_driver_sql(f"DROP TRIGGER {quoted(name)}")
        yield f"trigger {name} dropped"


def make_way(connection: Connection, table: str) -> None:
    """Drop the triggers that would make a change of a table fail: its own, and those that compute at commit.

    SQLite drops no column that a trigger names. It renames no table while a trigger names one that is not there, as
    is the case while a table is copied.
    """
    for name in connection.execute(_IN_THE_WAY, {"table": table}).scalars().all():
        connection.exec_driver_sql(f"DROP TRIGGER {quoted(name)}")


def schema_of(connection: Connection) -> None:
    """Return the schema that has Afterwork's tables: there is but one."""


def named_indexes(connection: Connection) -> list[tuple[str, str, str]]:
    """Return the indexes with names like Afterwork's, each with its table and its quoted name."""
    return [(row.name, row.tbl_name, quoted(row.name)) for row in connection.execute(_INDEXES)]
