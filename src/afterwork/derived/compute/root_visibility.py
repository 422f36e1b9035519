"""The reads of a run's root object: its existence, class and visibility, and the derived column, which others may
write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, event
from sqlalchemy.orm import ORMExecuteState, Session

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tracking.class_extent import Identity
from afterwork.derived.tracking.mapped_tables import MappedTables, TrackedColumns
from afterwork.derived.tracking.query import StatementReader
from afterwork.derived.tracking.statement_selects import selects_in_options
from afterwork.store.direct import own as own_listener


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


@dataclass(frozen=True)
class RootReads:
    """The reads of the roots of one derivation, whoever runs it."""

    derivation: RegisteredDerivation
    mapped_tables: MappedTables
    reader: StatementReader

    def add(
        self, reads: Reads, key: Identity, connection: Connection, visibility: RootVisibility | None = None
    ) -> None:
        """Add the reads of a root to those of its run. Raises `CantTrack` if what hides objects can't be tracked."""
        mapper, target = self.derivation.declaration.root, self.derivation.target_column
        for table, class_columns in self.derivation.objects.tables.items():
            row_key = self.mapped_tables.row_key(table, mapper, key)
            if row_key is not None and target is not None and target[0] == table.id and target[1]:
                reads.add_own_row(table.id, row_key, class_columns, target[1])
            else:
                self.mapped_tables.add_row(reads, TrackedColumns(table, class_columns), mapper, key)
        self.mapped_tables.add_class(reads, mapper)
        if visibility is not None:
            self._add_visibility(reads, key, connection, visibility)

    def _add_visibility(self, reads: Reads, key: Identity, connection: Connection, visibility: RootVisibility) -> None:
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
