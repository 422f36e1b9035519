"""Watches of tables that are in no database."""

from sqlalchemy import Dialect, Table

from afterwork.store.journal.text_forms import forms_of
from afterwork.store.journal.tracked_table import TrackedTable
from afterwork.store.journal.values import captured_columns, is_valued
from afterwork.store.sqlite.column import affinity

ON_POSTGRESQL = {
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "BOOLEAN": "boolean",
    "VARCHAR": "text",
    "TEXT": "text",
    "UUID": "uuid",
    "DATE": "date",
    "NUMERIC": "numeric",
    "BYTEA": "bytea",
    "TIMESTAMP WITHOUT TIME ZONE": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "TIME WITHOUT TIME ZONE": "time",
}


def watch_of(number: int, table: Table, dialect: Dialect) -> TrackedTable:
    """The watch of a table that is as the model says."""
    names = tuple(column.name for column in captured_columns(table))
    declared = {column.name: column.type.compile(dialect) for column in table.columns}
    forms = {
        name: affinity(text) if dialect.name == "sqlite" else ON_POSTGRESQL.get(text.partition("(")[0], "other 0")
        for name, text in declared.items()
    }
    column_forms = forms_of(forms, dialect.name)
    valued = tuple(column.name for column in captured_columns(table) if is_valued(column, column_forms))
    return TrackedTable(names, valued, number, table, column_forms)
