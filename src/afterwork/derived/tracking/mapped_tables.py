"""Where the members of mapped objects are in the database: which row of which watched table, which column."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ClauseElement, Dialect, FromClause, Table
from sqlalchemy.orm import InstanceState, Mapper
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BinaryExpression, ColumnClause, ColumnElement
from sqlalchemy.sql.operators import eq
from sqlalchemy.sql.selectable import AliasedReturnsRows, SelectBase

from afterwork.derived.manifest.read_pattern import Key, QueryRead
from afterwork.derived.manifest.reads import Reads
from afterwork.errors import NotWatched
from afterwork.store.journal.tracked_table import TrackedTable, TrackedTables, joined
from afterwork.store.journal.values import BAD_VALUE, key_of, text_of


@dataclass(frozen=True)
class TrackedColumns:
    """Columns of one watched table."""

    table: TrackedTable
    mask: int


@dataclass(frozen=True)
class MappedTables:
    """The watched tables, as the mapped classes see them."""

    tables: TrackedTables
    dialect: Dialect
    _key_places: dict[tuple[Mapper[Any], TrackedTable], tuple[int, ...] | None] = field(default_factory=dict)
    _tables: dict[Mapper[Any], tuple[TrackedColumns, ...]] = field(default_factory=dict)
    _kinds: dict[Mapper[Any], tuple[Mapper[Any], ...]] = field(default_factory=dict)

    def table(self, table: FromClause | None, what: str) -> TrackedTable:
        """The watch of a table. Raises `NotWatched`, saying that `what` was read."""
        found = self.tables.of(table)
        if found is None:
            raise NotWatched(what, str(getattr(table, "fullname", table)))
        return found

    def columns_by_table(self, columns: Iterable[ColumnElement[Any]], what: str) -> list[TrackedColumns]:
        """These columns, by table, without those that are left out. Raises `NotWatched`."""
        by_table: dict[FromClause, list[str]] = {}
        for column in columns:
            if isinstance(column, ColumnClause) and column.table is not None:
                by_table.setdefault(column.table, []).append(column.name)
        parts = []
        for table, names in by_table.items():
            watch = self.table(table, what)
            if mask := watch.mask(names):
                parts.append(TrackedColumns(watch, mask))
        return parts

    def tables_of(self, mapper: Mapper[Any]) -> tuple[TrackedColumns, ...]:
        """The tables in which an object of a class has a row, with the columns that say whether it is one of it."""
        if mapper not in self._tables:
            what = mapper.class_.__name__
            kinds = {part.table: part.mask for part in self.columns_by_table(discriminator_columns(mapper), what)}
            watches = [self.table(table, what) for table in mapper.tables]
            if is_query(mapper.persist_selectable):  # any column may decide which rows it brings
                kinds = {watch: watch.mask(watch.columns) for watch in watches}
            self._tables[mapper] = tuple(TrackedColumns(watch, kinds.get(watch, 0)) for watch in watches)
        return self._tables[mapper]

    def classes_of(self, mapper: Mapper[Any]) -> tuple[Mapper[Any], ...]:
        """The classes in whose tables an object of a class may be: itself, and those with tables of their own that are
        loaded with it."""
        if mapper not in self._kinds:
            below = mapper.self_and_descendants if is_query(mapper.selectable) else ()
            self._kinds[mapper] = (mapper, *(one for one in below if one.concrete and one is not mapper))
        return self._kinds[mapper]

    def add_existence(self, reads: Reads, mapper: Mapper[Any], identity: Sequence[Any]) -> None:
        """Note that it was read whether a class has an object with this primary key."""
        for one in self.classes_of(mapper):
            for part in self.tables_of(one):
                self.add_row(reads, part, one, identity)

    def add_rows(
        self, reads: Reads, part: TrackedColumns, mapper: Mapper[Any], states: Iterable[InstanceState[Any]]
    ) -> None:
        """Note that some columns of the rows of many objects of one class were read."""
        watch, mask, rows = part.table.id, part.mask, reads.rows
        place = self._number_place(part.table, mapper)
        if place is None:
            for state in states:
                self.add_row(reads, part, mapper, state.key[1])  # type: ignore[index]
        else:
            for state in states:
                row = watch, state.key[1][place]  # type: ignore[index]
                rows[row] = rows.get(row, 0) | mask

    def add_row(self, reads: Reads, part: TrackedColumns, mapper: Mapper[Any], identity: Sequence[Any]) -> None:
        """Note that some columns of an object's row in one of its tables were read."""
        key = self.row_key(part.table, mapper, identity)
        if key is None:
            reads.add_query(QueryRead(part.table.id, (), part.mask), "")
        else:
            reads.add_row(part.table.id, key, part.mask)

    def row_key(self, watch: TrackedTable, mapper: Mapper[Any], identity: Sequence[Any]) -> Key | None:
        """The key of an object's row in one of its tables; None where the journal has none for it."""
        places = self._places(watch, mapper)
        if places is None:
            return None
        values = tuple(identity[place] for place in places)
        if watch.has_plain_key and type(values[0]) is int:
            return values[0]
        try:
            return key_of(watch, values, self.dialect)
        except BAD_VALUE:
            return None

    def query_key(self, watch: TrackedTable, names: Sequence[str], values: Sequence[Any]) -> str | None:
        """The key of a question for rows with these values; None where the journal can't have them."""
        if len(names) == 1 and type(values[0]) is int and watch.is_plain(names[0]):
            return str(values[0])
        try:
            texts = [text_of(watch, name, value, self.dialect) for name, value in zip(names, values, strict=True)]
        except BAD_VALUE:
            return None
        return None if None in texts else joined(texts)

    def _places(self, watch: TrackedTable, mapper: Mapper[Any]) -> tuple[int, ...] | None:
        pair = mapper, watch
        if pair not in self._key_places:
            self._key_places[pair] = key_positions(mapper, watch)
        return self._key_places[pair]

    def _number_place(self, watch: TrackedTable, mapper: Mapper[Any]) -> int | None:
        """Where in the primary key of a class the number stands that is the key of one of its tables; None if it is
        no number, or not as its objects have it."""
        places = self._places(watch, mapper)
        return places[0] if places is not None and watch.has_plain_key else None


def discriminator_columns(mapper: Mapper[Any]) -> Iterator[ColumnClause[Any]]:
    """The columns of tables that say of which class an object is. Those of a query over several tables say no more than
    in which table it is."""
    found = () if mapper.polymorphic_on is None else columns_in(mapper.polymorphic_on)
    return (column for column in found if isinstance(column.table, Table))


def is_query(selectable: FromClause) -> bool:
    """Return whether a class that is mapped to this comes from a query rather than from rows of tables."""
    return any(isinstance(found, AliasedReturnsRows | SelectBase) for found in visitors.iterate(selectable))


def columns_in(*clauses: ClauseElement) -> Iterator[ColumnClause[Any]]:
    """All columns in some expressions."""
    return (found for clause in clauses for found in visitors.iterate(clause) if isinstance(found, ColumnClause))


def tables_in(*clauses: ClauseElement) -> set[FromClause]:
    """All tables that some expressions read, also those behind aliases and in subqueries."""
    found: set[FromClause] = set()
    for clause in clauses:
        for element in visitors.iterate(clause):
            if isinstance(element, Table):
                found.add(element)
            elif isinstance(element, ColumnClause) and element.table is not None:
                behind = element.table
                found |= {behind} if isinstance(behind, Table) else tables_in(behind)
    return found


def equal_columns(clause: object) -> tuple[ColumnClause[Any], ColumnClause[Any]] | None:
    """The two columns that a condition says are equal; None for any other condition."""
    if isinstance(clause, BinaryExpression) and clause.operator is eq:
        left, right = clause.left, clause.right
        if isinstance(left, ColumnClause) and isinstance(right, ColumnClause):
            return left, right
    return None


def as_inherited(mapper: Mapper[Any], column: Any) -> Any:
    """A column of a class's key as its uppermost table has it."""
    above = dict(_inherited(mapper))
    while column in above and column not in mapper.primary_key:
        column = above[column]
    return column


def key_positions(mapper: Mapper[Any], watch: TrackedTable) -> tuple[int, ...] | None:
    """Where in the primary key of a class the parts of the key of one of its tables stand."""
    keys = list(mapper.primary_key)
    columns = [as_inherited(mapper, column) for column in watch.key]
    if not columns or any(column not in keys for column in columns):
        return None
    return tuple(keys.index(column) for column in columns)


def _inherited(mapper: Mapper[Any]) -> Iterator[tuple[Any, Any]]:
    """Each column of a table that stands for one of the table above it, with that one."""
    for below in mapper.iterate_to_root():
        if below.inherit_condition is not None:
            for clause in visitors.iterate(below.inherit_condition):
                if (pair := equal_columns(clause)) is not None:
                    yield pair if pair[0].table is below.local_table else (pair[1], pair[0])
