"""The reads of a run's root object: its existence, class and visibility, and the derived column, which others may
write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, event
from sqlalchemy.orm import ORMExecuteState, Session

from afterwork.derived.manifest.reads import ReadKey, Reads
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tracking.mapped_tables import MappedTables, TrackedColumns
from afterwork.derived.tracking.query import StatementReader
from afterwork.derived.tracking.statement_selects import selects_in_options
from afterwork.model.key import PrimaryKey
from afterwork.store.direct_statement import own as own_listener
from afterwork.store.journal.tracked_table import TrackedTable


class RootVisibility:
    """The statement by which a session loads objects, as changed by the program's own listeners, which may hide some.

    `statement` is None where they have left it alone.
    """

    def __init__(self, session: Session, asks_plainly: Callable[[Any], bool]) -> None:
        self.statement: Select[Any] | None = None
        self.parameters: Mapping[str, Any] = {}
        self._asks_plainly = asks_plainly
        self._is_over = False
        event.listen(session, "do_orm_execute", self._execute)

    @own_listener
    def _execute(self, state: ORMExecuteState) -> None:
        if self._is_over or state.is_relationship_load or state.is_column_load:
            return
        self._is_over = True
        statement: Any = state.statement
        if not self._asks_plainly(statement):
            self.statement, self.parameters = statement, dict(state.parameters or {})  # type: ignore[arg-type]


RowKeys = Mapping[PrimaryKey, ReadKey]
"""The journal's keys of the rows that results are written into, by the keys of their objects."""

ALL_WRITTEN: RowKeys = {}
"""No keys that the database was asked for."""


@dataclass(frozen=True)
class RootReads:
    """The reads of the roots of one derivation, whoever runs it."""

    derivation: RegisteredDerivation
    mapped_tables: MappedTables
    reader: StatementReader

    def asked_keys(self, connection: Connection, roots: Sequence[PrimaryKey]) -> RowKeys:
        """Return the journal's keys of roots' rows that Python can't write, as the database writes them.

        Without the key of its own row, a run could not tell its own writes of the result from those of others.
        """
        mapper, target = self.derivation.declaration.root, self.derivation.target
        if not self._own_column or target is None or target.has_certain_key:
            return ALL_WRITTEN
        unwritten = [root for root in roots if self.mapped_tables.row_key(target, mapper, root) is None]
        return self.derivation.objects.row_keys(connection, target, unwritten) if unwritten else ALL_WRITTEN

    def add(
        self,
        reads: Reads,
        key: PrimaryKey,
        connection: Connection,
        asked: RowKeys = ALL_WRITTEN,
        visibility: RootVisibility | None = None,
    ) -> None:
        """Add the reads of a root to those of its run. Raises `CantTrack` if what hides objects can't be tracked."""
        mapper, own_column = self.derivation.declaration.root, self._own_column
        for table, class_columns in self.derivation.objects.tables.items():
            own_key = self._own_key(table, key, asked)
            if own_key is not None:
                reads.add_own_row(table.id, own_key, class_columns, own_column)
            else:
                self.mapped_tables.add_row(reads, TrackedColumns(table, class_columns), mapper, key)
        self.mapped_tables.add_class(reads, mapper)
        if visibility is not None:
            self._add_visibility(reads, key, connection, visibility)

    @property
    def _own_column(self) -> int:
        """The column that results are written into; 0 without one whose changes are captured."""
        return 0 if self.derivation.target_column is None else self.derivation.target_column[1]

    def _own_key(self, table: TrackedTable, key: PrimaryKey, asked: RowKeys) -> ReadKey | None:
        """Return the journal's key of the row that gets the result; None for any other row of the root."""
        if table is not self.derivation.target or not self._own_column:
            return None
        written = self.mapped_tables.row_key(table, self.derivation.declaration.root, key)
        return asked.get(key) if written is None else written

    def _add_visibility(
        self, reads: Reads, key: PrimaryKey, connection: Connection, visibility: RootVisibility
    ) -> None:
        """Add the reads that decide whether the statement, which asks for many objects, finds this one."""
        statement, parameters = visibility.statement, visibility.parameters
        if statement is None:
            return
        columns = self.derivation.declaration.root.primary_key
        own = {f"own_{number}": value for number, value in enumerate(key)}
        for_root = statement.where(*(column == bindparam(name) for column, name in zip(columns, own, strict=True)))
        keys = {name: [key[0] if len(key) == 1 else key] for name in parameters if name == "keys"}
        visibility_reads = Reads()
        self.reader.read(for_root, {**parameters, **keys, **own}, connection, visibility_reads)
        for select_in_option in selects_in_options(statement):
            self.reader.read(select_in_option, {}, connection, visibility_reads)
        reads.add_all(visibility_reads)
