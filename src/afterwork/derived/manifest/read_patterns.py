"""The numbers of shapes. A shape gets its number when it is read for the first time, and keeps it."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, select

from afterwork.derived.manifest.read_pattern import Key, QueryRead, ReadPattern, RowRead, read_key
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tables import read_pattern as read_patterns
from afterwork.store.journal.capture import columns_of_all
from afterwork.store.journal.change import Change
from afterwork.store.journal.tracked_table import NULL, NumberedColumns, TrackedTable, TrackedTables, joined
from afterwork.store.journal.values import is_read_by_types, other_key
from afterwork.store.upsert import insert_into

Touched = tuple[list[int], list[tuple[int, QueryRead, list[int]]], list[int]]
"""The numbers of shapes of rows, the shapes of questions, and the numbers of shapes of rows that were written."""


class ReadPatterns:
    """All shapes that this server knows of, shared by its threads. The database has those that others have met, too."""

    def __init__(self, watches: TrackedTables, dialect: Dialect) -> None:
        self.tables = watches
        self._dialect = dialect
        self._read_by_types = {watch.id for watch in watches if is_read_by_types(watch, dialect)}
        self._lock = threading.Lock()
        self._numbers: dict[ReadPattern, int] = {}
        self._by_number: dict[int, ReadPattern] = {}
        self._touching: dict[tuple[int, str, int], Touched] = {}
        self._row_numbers: dict[tuple[int, int], int] = {}
        self._rows: dict[int, list[tuple[int, RowRead]]] = defaultdict(list)
        self._wheres: dict[int, list[tuple[int, QueryRead, list[int], int]]] = defaultdict(list)

    @property
    def count(self) -> int:
        """How many are known."""
        return len(self._by_number)

    def load(self, connection: Connection) -> None:
        """Learn of the shapes that others have met. All are looked at: a late transaction may bring a low number."""
        with self._lock:
            columns: dict[int, NumberedColumns] = {}
            for row in connection.execute(select(read_patterns).order_by(read_patterns.c.id)).all():
                if row.id in self._by_number:
                    continue
                shape = _shape(row)
                if isinstance(shape, QueryRead):
                    columns = columns or columns_of_all(connection)
                self._learn(row.id, shape, columns.get(row.table_id))

    def number_of(self, connection: Connection, shape: ReadPattern) -> int:
        """The number of a shape, given to it now if need be. Needs a connection with no transaction open for that."""
        if shape not in self._numbers:
            self._add(connection, shape)
            connection.commit()
            self.load(connection)
        return self._numbers[shape]

    def pattern(self, number: int) -> ReadPattern:
        """The shape with a number that is known."""
        return self._by_number[number]

    def row_reads(self, watch: int) -> Sequence[tuple[int, RowRead]]:
        """The shapes of reads of single rows of a table, with their numbers."""
        return self._rows[watch]

    def query_reads(self, watch: int) -> Sequence[tuple[int, QueryRead]]:
        """The shapes of questions to a table, with their numbers."""
        return [(number, where) for number, where, _, _ in self._wheres[watch]]

    def table(self, number: int) -> TrackedTable | None:
        """The watch with a number."""
        return self.tables.by_id.get(number)

    def mask(self, shape: ReadPattern) -> int:
        """All columns that a shape is about, those that it asks by included."""
        watch = self.tables.by_id.get(shape.table_id)
        equal = shape.equal if isinstance(shape, QueryRead) else ()
        return shape.columns | (watch.mask(equal) if watch is not None else 0)

    def unnumbered(self, reads: Reads) -> set[ReadPattern]:
        """The shapes of these reads that have no number yet, as far as this process knows."""
        rows = {(watch, columns) for (watch, _), columns in reads.rows.items()} - self._row_numbers.keys()
        others = {where for where, _ in reads.queries} | set(reads.own.values())
        return {RowRead(*row) for row in rows} | (others - self._numbers.keys())

    def read_keys(self, reads: Reads) -> set[int]:
        """The numbers of reads whose shapes all have one."""
        numbers, of_rows = self._numbers, self._row_numbers
        found = {read_key(of_rows[watch, columns], key) for (watch, key), columns in reads.rows.items()}
        found |= {read_key(numbers[where], key) for where, key in reads.queries}
        found |= {read_key(numbers[row], key) for (_, key), row in reads.own.items()}
        return found

    def read_keys_in_transaction(self, connection: Connection, reads: Reads) -> set[int]:
        """The numbers of reads. New shapes get theirs within the transaction that is open, and are known to this
        process only once it has committed and `load` has been called."""
        new = {shape: self._add(connection, shape) for shape in self.unnumbered(reads)}
        numbers = {**self._numbers, **new}
        return {read_key(numbers[shape], key) for shape, key in patterns_in(reads)}

    def _add(self, connection: Connection, shape: ReadPattern) -> int:
        equal = _kept(shape)
        values = {"table_id": shape.table_id, "equal": equal, "columns": shape.columns}
        same = (
            read_patterns.c.table_id == shape.table_id,
            read_patterns.c.equal.is_not_distinct_from(equal),
            read_patterns.c.columns == shape.columns,
        )
        number = select(read_patterns.c.id).where(*same)
        found = connection.execute(number).scalar()
        if found is None:
            # Another server may be quicker, which must not fail the transaction of a run.
            insert = insert_into(self._dialect.name, read_patterns).values(values)
            connection.execute(insert.on_conflict_do_nothing())
            found = connection.execute(number).scalar_one()
        return int(found)

    def touched_keys(self, change: Change) -> list[int]:
        """The numbers of all reads that a change touches."""
        rows, wheres, _ = self._touched_by(change)
        tokens = [read_key(number, key) for key in self._keys(change) for number in rows]
        for number, where, places in wheres:
            tokens += [read_key(number, key) for key in _keys(where, places, change)]
        return tokens

    def overwritten_keys(self, change: Change) -> list[int]:
        """The numbers of the reads of rows of which a change touches nothing but the column that the reader writes."""
        *_, written = self._touched_by(change)
        return [read_key(number, key) for key in self._keys(change) for number in written]

    def _keys(self, change: Change) -> Iterator[Key]:
        """The key of a row as the journal has it, and as the types of the model read it, where that is another."""
        if change.key is not None:
            yield change.key
            if change.table_id in self._read_by_types:
                other = other_key(self.tables.by_id[change.table_id], change.key, self._dialect)
                if other is not None:
                    yield other

    def _touched_by(self, change: Change) -> Touched:
        alike = change.table_id, change.kind, change.columns
        found = self._touching.get(alike)
        if found is None:
            found = self._touching[alike] = self._shapes_touched(change)
        return found

    def _shapes_touched(self, change: Change) -> Touched:
        """The shapes that changes of this kind, of these columns, touch, and those of which they do so only by what is
        written."""
        every = change.kind != "U"
        rows = [number for number, row in self._rows[change.table_id] if every or row.columns & change.columns]
        wheres = [
            (number, where, places)
            for number, where, places, mask in self._wheres[change.table_id]
            if every or mask & change.columns
        ]
        written = [
            number
            for number, row in self._rows[change.table_id]
            if row.written & change.columns and not (every or row.columns & change.columns)
        ]
        return rows, wheres, written

    def _learn(self, number: int, shape: ReadPattern, columns: NumberedColumns | None = None) -> None:
        self._touching.clear()
        self._numbers[shape] = number
        self._by_number[number] = shape
        match shape:
            case RowRead():
                if not shape.written:
                    self._row_numbers[shape.table_id, shape.columns] = number
                self._rows[shape.table_id].append((number, shape))
            case QueryRead():
                if columns is not None:
                    self._wheres[shape.table_id].append((number, shape, *_places(columns, shape)))


def patterns_in(reads: Reads) -> Iterable[tuple[ReadPattern, Key]]:
    """All reads of a run, each as a shape and a key."""
    for (watch, key), columns in reads.rows.items():
        yield RowRead(watch, columns), key
    yield from ((row, key) for (_, key), row in reads.own.items())
    yield from reads.queries


def _kept(shape: ReadPattern) -> str | None:
    """What tells a shape from others of the same columns, as it is kept."""
    if isinstance(shape, QueryRead):
        return json.dumps(shape.equal)
    return json.dumps(shape.written) if shape.written else None


def _shape(row: Any) -> ReadPattern:
    kept = None if row.equal is None else json.loads(row.equal)
    if isinstance(kept, list):
        return QueryRead(row.table_id, tuple(kept), row.columns)
    return RowRead(row.table_id, row.columns, kept or 0)


def _places(columns: NumberedColumns, where: QueryRead) -> tuple[list[int], int]:
    return [columns.valued.index(name) for name in where.equal], where.columns | columns.mask(where.equal)


def _keys(where: QueryRead, places: list[int], change: Change) -> set[str]:
    if not where.equal:
        return {""}
    images = [image for image in (change.old, change.new) if image is not None]
    if len(places) == 1 and all(len(image) > places[0] for image in images):
        (place,) = places
        return {NULL if image[place] is None else image[place] for image in images}  # type: ignore[misc]
    return {joined([image[place] if place < len(image) else None for place in places]) for image in images}
