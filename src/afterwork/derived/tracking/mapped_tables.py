"""The tracked tables as mapped classes see them: reads of objects become reads of rows and columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Dialect, FromClause
from sqlalchemy.orm import InstanceState, Mapper
from sqlalchemy.sql.elements import ColumnClause

from afterwork.derived.manifest.reads import QueryRead, ReadKey, Reads
from afterwork.derived.tracking.mapping_clauses import (
    discriminator_columns,
    is_query,
    key_positions,
    lookup_columns,
)
from afterwork.errors import NotWatched
from afterwork.store.journal.tracked_table import TrackedTable, TrackedTables, joined
from afterwork.store.journal.values import BAD_VALUE, key_of, text_of


@dataclass(frozen=True)
class TrackedColumns:
    """Some columns of one tracked table, as a bit mask."""

    table: TrackedTable
    mask: int


@dataclass(frozen=True)
class MappedTables:
    """The tracked tables of a database, looked up by mapped classes. Adds reads of objects to `Reads`."""

    tables: TrackedTables
    dialect: Dialect
    _positions: dict[tuple[Mapper[Any], TrackedTable], tuple[int, ...] | None] = field(default_factory=dict)
    _tables: dict[Mapper[Any], tuple[TrackedColumns, ...]] = field(default_factory=dict)
    _classes: dict[Mapper[Any], tuple[Mapper[Any], ...]] = field(default_factory=dict)
    _class_lookups: dict[Mapper[Any], list[QueryRead]] = field(default_factory=dict)

    def table(self, table: FromClause | None, what: str) -> TrackedTable:
        """Return the tracked table for a table. Raises `NotWatched`, saying that `what` was read."""
        tracked = self.tables.of(table)
        if tracked is None:
            raise NotWatched(what, str(getattr(table, "fullname", table)))
        return tracked

    def columns_by_table(self, columns: Iterable[ColumnElement[Any]], what: str) -> list[TrackedColumns]:
        """Group columns by table, without those left out of capture. Raises `NotWatched`."""
        names_by_table: dict[FromClause, list[str]] = {}
        for column in columns:
            if isinstance(column, ColumnClause) and column.table is not None:
                names_by_table.setdefault(column.table, []).append(column.name)
        by_table = ((self.table(table, what), names) for table, names in names_by_table.items())
        parts = (TrackedColumns(table, table.mask_of_reads(names, what)) for table, names in by_table)
        return [part for part in parts if part.mask]

    def tables_of(self, mapper: Mapper[Any]) -> tuple[TrackedColumns, ...]:
        """Return the tables in which an object of a class has a row, with the columns that tell its class."""
        if mapper not in self._tables:
            what = mapper.class_.__name__
            masks = {part.table: part.mask for part in self.columns_by_table(discriminator_columns(mapper), what)}
            tables = [self.table(table, what) for table in mapper.tables]
            if is_query(mapper.persist_selectable):  # any column may decide which rows it returns
                masks = {table: table.mask(table.columns) for table in tables}
            self._tables[mapper] = tuple(TrackedColumns(table, masks.get(table, 0)) for table in tables)
        return self._tables[mapper]

    def classes_of(self, mapper: Mapper[Any]) -> tuple[Mapper[Any], ...]:
        """Return the classes in whose tables an object of a class may be.

        These are the class itself, and subclasses with tables of their own that are loaded with it.
        """
        if mapper not in self._classes:
            subclasses = mapper.self_and_descendants if is_query(mapper.selectable) else ()
            concrete = (subclass for subclass in subclasses if subclass.concrete and subclass is not mapper)
            self._classes[mapper] = (mapper, *concrete)
        return self._classes[mapper]

    def class_lookups(self, mapper: Mapper[Any]) -> list[QueryRead]:
        """Return queries for all that other tables say of which class objects are."""
        if mapper not in self._class_lookups:
            parts = self.columns_by_table(lookup_columns(mapper), mapper.class_.__name__)
            self._class_lookups[mapper] = [QueryRead(part.table.id, (), part.mask) for part in parts]
        return self._class_lookups[mapper]

    def add_existence(self, reads: Reads, mapper: Mapper[Any], identity: Sequence[Any]) -> None:
        """Add a read of whether a class has an object with this primary key."""
        for possible in self.classes_of(mapper):
            self.add_class(reads, possible)
            for part in self.tables_of(possible):
                self.add_row(reads, part, possible, identity)

    def add_class(self, reads: Reads, mapper: Mapper[Any]) -> None:
        """Add a read of what other tables say of which class objects are."""
        for lookup in self.class_lookups(mapper):
            reads.add_query(lookup, "")

    def add_rows(
        self, reads: Reads, part: TrackedColumns, mapper: Mapper[Any], states: Iterable[InstanceState[Any]]
    ) -> None:
        """Add reads of some columns of many objects of one class."""
        table_id, mask, rows = part.table.id, part.mask, reads.rows
        position = self._integer_position(part.table, mapper)
        if position is None:
            for state in states:
                self.add_row(reads, part, mapper, state.key[1])  # type: ignore[index]
        else:
            for state in states:
                row = table_id, state.key[1][position]  # type: ignore[index]
                rows[row] = rows.get(row, 0) | mask

    def add_row(self, reads: Reads, part: TrackedColumns, mapper: Mapper[Any], identity: Sequence[Any]) -> None:
        """Add a read of some columns of an object's row in one of its tables."""
        key = self.row_key(part.table, mapper, identity)
        if key is None:
            reads.add_query(QueryRead(part.table.id, (), part.mask), "")
        else:
            reads.add_row(part.table.id, key, part.mask)

    def row_key(self, table: TrackedTable, mapper: Mapper[Any], identity: Sequence[Any]) -> ReadKey | None:
        """Return the key of an object's row in one of its tables; None where the journal has none for it."""
        positions = self._key_positions(table, mapper)
        if positions is None:
            return None
        values = tuple(identity[position] for position in positions)
        if table.has_plain_key and type(values[0]) is int:
            return values[0]
        try:
            return key_of(table, values, self.dialect)
        except BAD_VALUE:
            return None

    def query_key(self, table: TrackedTable, names: Sequence[str], values: Sequence[Any]) -> str | None:
        """Return the key of a query for rows with these values; None where the journal can't have them."""
        if len(names) == 1 and type(values[0]) is int and table.is_plain(names[0]):
            return str(values[0])
        try:
            texts = [text_of(table, name, value, self.dialect) for name, value in zip(names, values, strict=True)]
        except BAD_VALUE:
            return None
        return None if None in texts else joined(texts)

    def _key_positions(self, table: TrackedTable, mapper: Mapper[Any]) -> tuple[int, ...] | None:
        pair = mapper, table
        if pair not in self._positions:
            self._positions[pair] = key_positions(mapper, table)
        return self._positions[pair]

    def _integer_position(self, table: TrackedTable, mapper: Mapper[Any]) -> int | None:
        """Return the position in a class's primary key of the integer that is the key of one of its tables.

        None if that key is no integer, or objects have it in another form.
        """
        positions = self._key_positions(table, mapper)
        return positions[0] if positions is not None and table.has_plain_key else None
