"""What the object itself, that a run is about, adds to what the run has read: that it is there, is of its class and can
be seen, and what others write into the column of the result."""

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
from afterwork.store.direct import own


class RootVisibility:
    """The statement by which a session has loaded objects, as the program's own listeners have made it: they may hide
    some. None where they have left it alone."""

    def __init__(self, session: Session, asks_plainly: Callable[[Any], bool]) -> None:
        self.statement: Select[Any] | None = None
        self.parameters: Mapping[str, Any] = {}
        self._asks_plainly = asks_plainly
        self._is_over = False
        event.listen(session, "do_orm_execute", self._execute)

    @own
    def _execute(self, state: ORMExecuteState) -> None:
        if self._is_over or state.is_relationship_load or state.is_column_load:
            return
        self._is_over = True
        statement: Any = state.statement
        if not self._asks_plainly(statement):
            self.statement, self.parameters = statement, dict(state.parameters or {})  # type: ignore[arg-type]


@dataclass(frozen=True)
class RootReads:
    """What reading the object of a cache depends on, by whoever runs the cache."""

    derivation: RegisteredDerivation
    mapped_tables: MappedTables
    reader: StatementReader

    def add(self, reads: Reads, key: Identity, connection: Connection, sight: RootVisibility | None = None) -> None:
        """Add to what a run has read of others. Raises `CantTrack` for what hides objects and can't be tracked."""
        mapper, written = self.derivation.declaration.root, self.derivation.written
        for watch, kinds in self.derivation.objects.tables.items():
            number = self.mapped_tables.row_key(watch, mapper, key)
            if number is not None and written is not None and written[0] == watch.id and written[1]:
                reads.add_own_row(watch.id, number, kinds, written[1])
            else:
                self.mapped_tables.add_row(reads, TrackedColumns(watch, kinds), mapper, key)
        if sight is not None and sight.statement is not None:
            self._add_sight(reads, key, connection, sight.statement, sight.parameters)

    def _add_sight(
        self, reads: Reads, key: Identity, connection: Connection, statement: Any, parameters: Mapping[str, Any]
    ) -> None:
        """What decides whether this one object is found by the statement that has asked for many."""
        columns = self.derivation.declaration.root.primary_key
        mine = {f"own_{number}": value for number, value in enumerate(key)}
        alone = statement.where(*(column == bindparam(name) for column, name in zip(columns, mine, strict=True)))
        found = Reads()
        keys = {name: [key[0] if len(key) == 1 else key] for name in parameters if name == "keys"}
        self.reader.read(alone, {**parameters, **keys, **mine}, connection, found)
        for beside in selects_in_options(statement):
            self.reader.read(beside, {}, connection, found)
        reads.add_all(found)
