"""The extent of a class: its objects in the database, even those that sessions are made to hide.

The model can't find some rows by their own keys, since it would write those in another form.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Dialect, Select, literal_column, select
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.orm import Mapper

from afterwork.derived.tracking.mapping_clauses import discriminator_columns, key_positions, lookup_columns
from afterwork.model.key import PrimaryKey, is_one_of
from afterwork.store.journal.change import text_in
from afterwork.store.journal.tracked_table import TrackedTable, TrackedTables
from afterwork.store.journal.values import full_name, identity_of, is_written_otherwise, key_of, key_sql, quoted
from afterwork.store.key_lists import padded

JournalKey = int | str
"""The key of a row, as the journal has it."""


@dataclass(frozen=True, eq=False)
class ClassExtent:
    """All objects of a class. Each has a row in all of `tables`, with the columns (a mask) that tell its class."""

    mapper: Mapper[Any]
    tracked_tables: TrackedTables
    _positions: dict[TrackedTable, tuple[int, ...] | None] = field(default_factory=dict)

    @cached_property
    def tables(self) -> Mapping[TrackedTable, int]:
        """The tracked tables of the class, each with the columns that tell the class of an object."""
        columns = list(discriminator_columns(self.mapper))
        pairs = ((table, self.tracked_tables.of(table)) for table in self.mapper.tables)
        return {
            tracked: tracked.mask(column.name for column in columns if column.table is table)
            for table, tracked in pairs
            if tracked is not None
        }

    @cached_property
    def discriminator_tables(self) -> Set[int]:
        """The ids of other tables that tell the class of an object."""
        others = {column.table for column in lookup_columns(self.mapper)}
        return {tracked.id for table in others if (tracked := self.tracked_tables.of(table)) is not None}

    @property
    def are_all_rows(self) -> bool:
        """Return whether each row of the one table is an object of the class."""
        return self.mapper.inherits is None or self.mapper.concrete

    @cached_property
    def keys(self) -> Select[Any]:
        return select(*self.mapper.primary_key).select_from(self.mapper.persist_selectable).where(*self._conditions)

    @property
    def _conditions(self) -> Iterator[ColumnElement[bool]]:
        mapper = self.mapper
        if not self.are_all_rows and mapper.polymorphic_on is not None:
            kinds = [subclass.polymorphic_identity for subclass in mapper.self_and_descendants]
            yield mapper.polymorphic_on.in_([kind for kind in kinds if kind is not None])

    def existing(self, connection: Connection, keys: Collection[PrimaryKey]) -> set[PrimaryKey]:
        """Return those of these primary keys that have an object now."""
        if not keys:
            return set()
        dialect = connection.dialect
        existing = {self._journal_key(key, dialect) for key in self._load(connection, list(keys))}
        return {key for key in keys if self._journal_key(key, dialect) in existing}

    def _load(self, connection: Connection, keys: Sequence[PrimaryKey]) -> list[PrimaryKey]:
        """Return the keys of existing objects. By a key that the database refuses to compare, there is none."""

        def load() -> list[PrimaryKey]:
            query = self.keys.where(is_one_of(list(self.mapper.primary_key), keys))
            return [tuple(row) for row in connection.execute(query)]

        table = self.tracked_tables.of(self.mapper.local_table)
        if table is not None and table.has_certain_key:
            return load()
        try:
            with _attempt(connection):
                return load()
        except Exception as error:
            if not _is_about_values(connection, error):
                raise
            return [] if len(keys) == 1 else [loaded for key in keys for loaded in self._load(connection, [key])]

    def _journal_key(self, key: PrimaryKey, dialect: Dialect) -> object:
        """Return a primary key in the journal's form, which is the same however the key was written."""
        table = self.tracked_tables.of(self.mapper.local_table)
        positions = None if table is None else self._key_positions(table)
        if table is None or positions is None:
            return key
        try:
            written = key_of(table, [key[position] for position in positions], dialect)
        except Exception:  # whatever a type raises
            return key
        return key if written is None else written

    def row_keys(
        self, connection: Connection, table: TrackedTable, keys: Collection[PrimaryKey]
    ) -> Mapping[PrimaryKey, JournalKey]:
        """Return the journal's keys of existing objects' rows in one of the class's tables, as its triggers write them.

        This is for keys that Python can't write, such as those of floats.
        """
        if self._key_positions(table) is None:
            return {}
        columns = self.key_columns(table)
        query = select(*columns, _journal_key(table, connection.dialect)).where(is_one_of(columns, padded(list(keys))))
        return {tuple(identity): text_in(key) for *identity, key in connection.execute(query)}

    def identity(self, table: TrackedTable, key: int | str, dialect: Dialect) -> PrimaryKey:
        """Return the primary key of the object whose row in a table has this key in the journal.

        Raises whatever the types of the model raise, and `LookupError` for a table whose key is another one.
        """
        positions = self._key_positions(table)
        if positions is None and table.table is self.mapper.local_table:
            return identity_of(table, key, dialect)
        if positions is None or len(positions) != len(self.mapper.primary_key):
            raise LookupError("The key of this table is not that of the class.")
        values = identity_of(table, key, dialect)
        return tuple(values[positions.index(position)] for position in range(len(values)))

    def key_columns(self, table: TrackedTable) -> Sequence[Column[Any]]:
        """Return the key of one of the class's tables, in the order of the class's primary key."""
        positions = self._key_positions(table)
        if positions is None:
            return table.key
        return [table.key[positions.index(position)] for position in sorted(positions)]

    def _key_positions(self, table: TrackedTable) -> tuple[int, ...] | None:
        if table not in self._positions:
            self._positions[table] = key_positions(self.mapper, table)
        return self._positions[table]


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


def _reachable(connection: Connection, table: TrackedTable, unsure: Mapping[JournalKey, PrimaryKey]) -> set[str]:
    """Return the keys of rows that the model finds. If one query for all fails, ask for each key alone."""
    if not unsure:
        return set()
    try:
        return _load_keys(connection, table, unsure.values())
    except Exception as error:
        if not _is_about_values(connection, error):
            raise
        if len(unsure) == 1:
            return set()
    return {text for key, read in unsure.items() for text in _reachable(connection, table, {key: read})}


def _load_keys(connection: Connection, table: TrackedTable, keys: Collection[PrimaryKey]) -> set[str]:
    query = select(_journal_key(table, connection.dialect)).select_from(table.table)
    query = query.where(is_one_of(table.key, list(keys)))
    with _attempt(connection):
        return {str(text_in(key)) for key in connection.execute(query).scalars()}


def _attempt(connection: Connection) -> AbstractContextManager[object]:
    """Undo the block alone if it raises. On PostgreSQL, an error would end the transaction."""
    return connection.begin_nested() if connection.dialect.name == "postgresql" else nullcontext()


def _is_about_values(connection: Connection, error: Exception) -> bool:
    """Return whether an error of the database, the driver or a type is about some value.

    Otherwise it is about others who are in the way, or a lost connection.
    """
    is_about_more = connection.dialect.name == "postgresql" and isinstance(error, OperationalError | InternalError)
    return not (connection.invalidated or is_about_more)


def _journal_key(table: TrackedTable, dialect: Dialect) -> ColumnElement[Any]:
    """Return SQL for the key of a row as the triggers write it."""
    references = [f"{full_name(table.table)}.{quoted(column.name)}" for column in table.key]
    return literal_column(key_sql([table.forms[column.name] for column in table.key], references, dialect))
