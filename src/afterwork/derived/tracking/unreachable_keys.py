"""Rows that the model does not find by the key that it reads of them: it would write that key in another way."""

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


def unreachable_keys(connection: Connection, watch: TrackedTable, keys: Iterable[JournalKey]) -> set[JournalKey]:
    """Return those of some keys, as the journal has them, by which the model finds no row, or another one. The database
    is asked only about keys of which Python can't tell."""
    dialect = connection.dialect
    if watch.has_certain_key:
        return set()
    unsure = [key for key in keys if is_written_otherwise(watch, key, dialect) is None]
    found = _found(connection, watch, {key: identity_of(watch, key, dialect) for key in unsure})
    return {key for key in unsure if str(key) not in found}


def _found(connection: Connection, watch: TrackedTable, unsure: Mapping[JournalKey, Identity]) -> set[str]:
    """The keys of rows that the model finds. Where it can't ask for all of them together, it asks one by one."""
    if not unsure:
        return set()
    try:
        return _asked(connection, watch, unsure.values())
    except Exception:  # of the database, the driver or a type, about some value
        if connection.invalidated:
            raise
        if len(unsure) == 1:
            return set()
    return {text for key, read in unsure.items() for text in _found(connection, watch, {key: read})}


def _asked(connection: Connection, watch: TrackedTable, keys: Collection[Identity]) -> set[str]:
    columns = watch.key
    table = ".".join(quoted(name) for name in (watch.table.schema, watch.table.name) if name)
    references = [f"{table}.{quoted(column.name)}" for column in columns]
    written: Any = literal_column(key_sql([watch.forms[one.name] for one in columns], references, connection.dialect))
    asked = select(written).select_from(watch.table).where(is_one_of(columns, list(keys)))
    # On PostgreSQL an error would end the transaction.
    with connection.begin_nested() if connection.dialect.name == "postgresql" else nullcontext():
        return {str(text_in(found)) for found in connection.execute(asked).scalars()}
