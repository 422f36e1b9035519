"""Capture on SQLite: row triggers."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from sqlalchemy import Table, text

from afterwork.store.journal.capture import Capture, CapturedTable, CapturePlan, Glance
from afterwork.store.journal.continuity import CatalogState
from afterwork.store.journal.values import quoted
from afterwork.store.sqlite.capture_marks import GLANCE, catalog_states, mark_inspected, trigger_name
from afterwork.store.sqlite.capture_text import EVENTS, TriggerSource
from afterwork.store.sqlite.column import column_forms
from afterwork.store.sqlite.unique_keys import UniqueKey, UniqueTerm, unique_of

ROW_NAMES = ("rowid", "_rowid_", "oid")

_COLUMNS = text("SELECT name, pk FROM pragma_table_xinfo(:table) WHERE hidden <> 1 ORDER BY cid")
_HAS_ROWS_NUMBERED = text("SELECT NOT wr FROM pragma_table_list(:table) WHERE schema = 'main' AND type = 'table'")
_UNIQUE = text(
    "SELECT l.name AS index_name, x.name, x.coll,"
    " (SELECT sql FROM sqlite_master AS m WHERE m.type = 'index' AND m.name = l.name) AS sql"
    " FROM pragma_index_list(:table) AS l, pragma_index_xinfo(l.name) AS x"
    ' WHERE l."unique" AND x.key ORDER BY l.seq, x.seqno'
)
_TRIGGERS = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE :pattern ESCAPE '!'")


class SQLiteCapture(Capture):
    def prepare(self) -> Iterator[str]:
        yield from ()

    def columns(self, table: Table) -> Sequence[str] | None:
        if table.schema not in {None, "main"}:
            return None  # a trigger can't write into another file
        name = {"table": table.name}
        if self.connection.execute(_HAS_ROWS_NUMBERED, name).scalar() is None:
            return None
        return [row.name for row in self.connection.execute(_COLUMNS, name)]

    def forms(self, table: Table) -> Mapping[str, str]:
        return column_forms(self.connection, table)

    def definition(self, captured: CapturedTable, table: Table, columns: Sequence[str]) -> str:
        return "\n".join(self._triggers(captured, table, columns).values())

    def found_definition(self, captured: CapturedTable, table: Table) -> str:
        triggers = self._there(captured)
        names = [trigger_name(captured.id, event) for event in EVENTS]
        if not triggers.keys() >= set(names):
            return ""
        return "\n".join(triggers[name] for name in [*names, *sorted(triggers.keys() - set(names))])

    def catalog_states(self) -> Mapping[int, CatalogState]:
        return catalog_states(self.connection, list(EVENTS))

    def glance(self) -> Glance:
        return Glance(*self.connection.execute(GLANCE).one())

    def lock(self, captured: CapturedTable, table: Table) -> None:
        """Do nothing: SQLite has a single writer."""

    def install(self, plan: CapturePlan) -> None:
        self.drop(plan.captured)
        for statement in self._triggers(plan.captured, plan.table, plan.columns).values():
            self.connection.exec_driver_sql(statement)

    def drop(self, captured: CapturedTable) -> None:
        for name in self._there(captured):
            self.connection.exec_driver_sql(f"DROP TRIGGER {name}")

    def mark_inspected(self, shown: Mapping[int, CatalogState]) -> Mapping[int, CatalogState]:
        mark_inspected(self.connection)
        return self.catalog_states()

    def _there(self, captured: CapturedTable) -> dict[str, str]:
        pattern = f"{trigger_name(captured.id, '')}%".replace("_", "!_")
        return {row.name: row.sql for row in self.connection.execute(_TRIGGERS, {"pattern": pattern})}

    def _triggers(self, captured: CapturedTable, table: Table, columns: Sequence[str]) -> dict[str, str]:
        table_columns = self.columns(table) or ()
        numbered = bool(self.connection.execute(_HAS_ROWS_NUMBERED, {"table": table.name}).scalar())
        taken = {column.lower() for column in table_columns}
        row_name = next((name for name in ROW_NAMES if name not in taken), None) if numbered else None
        source = TriggerSource(self.dialect, captured, table, columns, table_columns, self._unique(table), row_name)
        return source.triggers()

    def _unique(self, table: Table) -> list[UniqueKey]:
        name = {"table": table.name}
        key = [UniqueTerm(quoted(row.name), row.name) for row in self.connection.execute(_COLUMNS, name) if row.pk]
        rows = self.connection.execute(_UNIQUE, name)
        indexes = (list(columns) for _, columns in groupby(rows, lambda row: row.index_name))
        return [
            *([UniqueKey(tuple(key))] if key else []),
            *(unique_of([(row.name, row.coll) for row in index], index[0].sql) for index in indexes),
        ]
