"""The numbers of read patterns. A pattern gets its number when it is read for the first time, and keeps it."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, select

from afterwork.derived.manifest.reads import QueryRead, ReadKey, ReadPattern, Reads, RowRead, pattern_number, read_key
from afterwork.store.caches.tables import read_pattern as read_patterns
from afterwork.store.journal.capture import columns_of_all
from afterwork.store.journal.change import Change
from afterwork.store.journal.tracked_table import NULL, NumberedColumns, TrackedTable, TrackedTables, joined
from afterwork.store.journal.values import is_read_by_types, other_key
from afterwork.store.upsert import insert_into


@dataclass(frozen=True)
class _NumberedQuery:
    """A query read with its number. `positions` are those of its `equal` columns in the images of changes; the mask has
    all columns that it is about."""

    number: int
    query: QueryRead
    positions: Sequence[int]
    mask: int


@dataclass(frozen=True)
class _TouchedPatterns:
    """The patterns that changes of one kind, of the same columns, touch: row reads by number, and query reads.

    `own_column` are the numbers of row reads of which they touch only the column that the reader itself writes.
    """

    rows: Sequence[int]
    queries: Sequence[_NumberedQuery]
    own_column: Sequence[int]


class ReadPatterns:
    """All patterns that this server knows, shared by its threads. The database also has those of other servers."""

    def __init__(self, tables: TrackedTables, dialect: Dialect) -> None:
        self.tables = tables
        self._dialect = dialect
        self._read_by_types = {table.id for table in tables if is_read_by_types(table, dialect)}
        self._lock = threading.Lock()
        self._numbers: dict[ReadPattern, int] = {}
        self._by_number: dict[int, ReadPattern] = {}
        self._touched: dict[tuple[int, str, int], _TouchedPatterns] = {}
        self._row_numbers: dict[tuple[int, int], int] = {}
        self._rows: dict[int, list[tuple[int, RowRead]]] = defaultdict(list)
        self._queries: dict[int, list[_NumberedQuery]] = defaultdict(list)

    @property
    def count(self) -> int:
        return len(self._by_number)

    def load(self, connection: Connection) -> None:
        """Load the patterns that other servers have numbered. Read all: a late transaction may bring a low number."""
        with self._lock:
            columns: dict[int, NumberedColumns] = {}
            for row in connection.execute(select(read_patterns).order_by(read_patterns.c.id)).all():
                if row.id in self._by_number:
                    continue
                pattern = _pattern(row)
                if isinstance(pattern, QueryRead):
                    columns = columns or columns_of_all(connection)
                self._learn(row.id, pattern, columns.get(row.table_id))

    def are_current(self, connection: Connection) -> bool:
        """Return whether all known numbers still mean the same patterns in the database."""
        present = {row.id: _pattern(row) for row in connection.execute(select(read_patterns)).all()}
        with self._lock:
            return all(present.get(number) == pattern for number, pattern in self._by_number.items())

    def number_of(self, connection: Connection, pattern: ReadPattern) -> int:
        """Return the number of a pattern; give it one if it has none.

        For that, the connection must have no transaction open.
        """
        if pattern not in self._numbers:
            self._add(connection, pattern)
            connection.commit()
            self.load(connection)
        return self._numbers[pattern]

    def pattern(self, number: int) -> ReadPattern:
        return self._by_number[number]

    def of_read_key(self, connection: Connection, key: int) -> ReadPattern:
        """Return the pattern of a read key in the database. Another server may have numbered it a moment ago."""
        number = pattern_number(key)
        if number not in self._by_number:
            self.load(connection)
        return self._by_number[number]

    def row_reads(self, table_id: int) -> Sequence[tuple[int, RowRead]]:
        return self._rows[table_id]

    def query_reads(self, table_id: int) -> Sequence[tuple[int, QueryRead]]:
        return [(known.number, known.query) for known in self._queries[table_id]]

    def table(self, number: int) -> TrackedTable | None:
        return self.tables.by_id.get(number)

    def mask(self, pattern: ReadPattern) -> int:
        """Return all columns that a pattern is about, including those that it asks by."""
        table = self.tables.by_id.get(pattern.table_id)
        equal = pattern.equal if isinstance(pattern, QueryRead) else ()
        return pattern.columns | (table.mask(equal) if table is not None else 0)

    def unnumbered(self, reads: Reads) -> set[ReadPattern]:
        """Return the patterns of these reads that have no number yet, to this process's knowledge."""
        rows = {(table_id, columns) for (table_id, _), columns in reads.rows.items()} - self._row_numbers.keys()
        others = {query for query, _ in reads.queries} | set(reads.own.values())
        return {RowRead(*row) for row in rows} | (others - self._numbers.keys())

    def read_keys(self, reads: Reads) -> set[int]:
        """Return the read keys of reads whose patterns all have a number."""
        numbers, of_rows = self._numbers, self._row_numbers
        keys = {read_key(of_rows[table_id, columns], key) for (table_id, key), columns in reads.rows.items()}
        keys |= {read_key(numbers[query], key) for query, key in reads.queries}
        keys |= {read_key(numbers[row], key) for (_, key), row in reads.own.items()}
        return keys

    def read_keys_in_transaction(self, connection: Connection, reads: Reads) -> set[int]:
        """Return the read keys of reads. New patterns get their numbers within the transaction that is open.

        This process knows them only once it has committed and `load` has been called.
        """
        new = {pattern: self._add(connection, pattern) for pattern in self.unnumbered(reads)}
        numbers = {**self._numbers, **new}
        return {read_key(numbers[pattern], key) for pattern, key in patterns_in(reads)}

    def _add(self, connection: Connection, pattern: ReadPattern) -> int:
        c = read_patterns.c
        equal = _stored_equal(pattern)
        values = {"table_id": pattern.table_id, "equal": equal, "columns": pattern.columns}
        number = select(c.id).where(
            c.table_id == pattern.table_id, c.equal.is_not_distinct_from(equal), c.columns == pattern.columns
        )
        known = connection.execute(number).scalar()
        if known is None:
            # Another server may be faster, which must not fail the transaction of a run.
            insert = insert_into(self._dialect.name, read_patterns).values(values)
            connection.execute(insert.on_conflict_do_nothing())
            known = connection.execute(number).scalar_one()
        return int(known)

    # What changes touch.

    def touched(self, change: Change) -> list[tuple[int, bool]]:
        """Return the read keys of all reads that a change touches.

        Each comes with whether it is of a row read of which only the column that the reader itself writes is touched.
        """
        touched = self._touched_by(change)
        keys: list[tuple[int, bool]] = []
        if touched.rows or touched.own_column:
            for key in self._keys(change):
                keys += [(read_key(number, key), False) for number in touched.rows]
                keys += [(read_key(number, key), True) for number in touched.own_column]
        for known in touched.queries:
            keys += [(read_key(known.number, key), False) for key in _query_keys(known, change)]
        return keys

    def _keys(self, change: Change) -> Iterator[ReadKey]:
        """Yield the key of a row as it stands in the journal, and as the model reads it, if different."""
        if change.key is not None:
            yield change.key
            if change.table_id in self._read_by_types:
                other = other_key(self.tables.by_id[change.table_id], change.key, self._dialect)
                if other is not None:
                    yield other

    def _touched_by(self, change: Change) -> _TouchedPatterns:
        alike = change.table_id, change.kind, change.columns
        touched = self._touched.get(alike)
        if touched is None:
            touched = self._touched[alike] = self._find_touched(change)
        return touched

    def _find_touched(self, change: Change) -> _TouchedPatterns:
        changed, is_every_column = change.columns, change.kind != "U"
        rows, queries = self._rows[change.table_id], self._queries[change.table_id]
        return _TouchedPatterns(
            [number for number, row in rows if is_every_column or row.columns & changed],
            [known for known in queries if is_every_column or known.mask & changed],
            [
                number
                for number, row in rows
                if row.own_column & changed and not (is_every_column or row.columns & changed)
            ],
        )

    def _learn(self, number: int, pattern: ReadPattern, columns: NumberedColumns | None = None) -> None:
        self._touched.clear()
        self._numbers[pattern] = number
        self._by_number[number] = pattern
        match pattern:
            case RowRead():
                if not pattern.own_column:
                    self._row_numbers[pattern.table_id, pattern.columns] = number
                self._rows[pattern.table_id].append((number, pattern))
            case QueryRead():
                if columns is not None:
                    positions = [columns.valued.index(name) for name in pattern.equal]
                    mask = pattern.columns | columns.mask(pattern.equal)
                    self._queries[pattern.table_id].append(_NumberedQuery(number, pattern, positions, mask))


def patterns_in(reads: Reads) -> Iterable[tuple[ReadPattern, ReadKey]]:
    """Yield all reads of a run, each as a pattern and a key."""
    for (table_id, key), columns in reads.rows.items():
        yield RowRead(table_id, columns), key
    yield from ((row, key) for (_, key), row in reads.own.items())
    yield from reads.queries


def _stored_equal(pattern: ReadPattern) -> str | None:
    """Return the column that tells a stored pattern from others of the same columns: what it asks by, or writes."""
    if isinstance(pattern, QueryRead):
        return json.dumps(pattern.equal)
    return json.dumps(pattern.own_column) if pattern.own_column else None


def _pattern(row: Any) -> ReadPattern:
    stored = None if row.equal is None else json.loads(row.equal)
    if isinstance(stored, list):
        return QueryRead(row.table_id, tuple(stored), row.columns)
    return RowRead(row.table_id, row.columns, stored or 0)


def _query_keys(known: _NumberedQuery, change: Change) -> set[str]:
    """Return the keys of a query read for the values that a row has in the images of a change."""
    positions, old, new = known.positions, change.old, change.new
    if not positions:
        return {""}
    if len(positions) == 1 and old is not None and new is not None:  # each of thousands of updates comes here
        position = positions[0]
        if len(old) > position < len(new) and (value := new[position]) is not None and old[position] == value:
            return {value}
    images = [image for image in (old, new) if image is not None]
    if len(positions) == 1 and all(len(image) > positions[0] for image in images):
        (position,) = positions
        return {NULL if image[position] is None else image[position] for image in images}  # type: ignore[misc]
    return {joined([image[position] if position < len(image) else None for position in positions]) for image in images}
