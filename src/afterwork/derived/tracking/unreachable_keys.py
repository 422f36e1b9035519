"""Rows that the model can't find by their own keys, since it would write those in another form."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from sqlalchemy import Connection, literal_column, select

from afterwork.model.key import is_one_of
from afterwork.store.journal.change import text_in
from afterwork.store.journal.tracked_table import TrackedTable
from afterwork.store.journal.values import identity_of, is_written_otherwise, key_sql, quoted

JournalKey = int | str

Identity = tuple[Any, ...]


def unreachable_keys(connection: Connection, table: TrackedTable, keys: Iterable[JournalKey]) -> set[JournalKey]:
    """Return those of the journal's keys by which the model finds no row, or another one.

    The database is asked only about keys of which Python can't tell.
    """
    dialect = connection.dialect
    if table.has_certain_key:
        return set()
    unsure = [key for key in keys if is_written_otherwise(table, key, dialect) is None]
    reachable = _reachable(connection, table, {key: identity_of(table, key, dialect) for key in unsure})
    return {key for key in unsure if str(key) not in reachable}


def _reachable(connection: Connection, table: TrackedTable, unsure: Mapping[JournalKey, Identity]) -> set[str]:
    """Return the keys of rows that the model finds. If one query for all fails, ask for each key alone."""
    if not unsure:
        return set()
    try:
        return _load_keys(connection, table, unsure.values())
    except Exception:  # of the database, the driver or a type, about some value
        if connection.invalidated:
            raise
        if len(unsure) == 1:
            return set()
    return {text for key, read in unsure.items() for text in _reachable(connection, table, {key: read})}


def _load_keys(connection: Connection, table: TrackedTable, keys: Collection[Identity]) -> set[str]:
    columns = table.key
    name = ".".join(quoted(part) for part in (table.table.schema, table.table.name) if part)
    references = [f"{name}.{quoted(column.name)}" for column in columns]
    forms = [table.forms[column.name] for column in columns]
    journal_key: Any = literal_column(key_sql(forms, references, connection.dialect))
    query = select(journal_key).select_from(table.table).where(is_one_of(columns, list(keys)))
    # On PostgreSQL an error would end the transaction.
    with connection.begin_nested() if connection.dialect.name == "postgresql" else nullcontext():
        return {str(text_in(key)) for key in connection.execute(query).scalars()}
