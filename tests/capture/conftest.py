"""A database with capture on some tables."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, event, inspect, text

from afterwork.derived.capture.install import Installed, install
from afterwork.insight.check.changes import CaptureProblem, problems
from afterwork.settings import Settings
from afterwork.store.dialects import database_of
from afterwork.store.journal import capture
from afterwork.store.journal.change import Change, changes_in
from afterwork.store.journal.tables import tracked_table
from afterwork.store.journal.tracked_table import TrackedTables
from afterwork.store.tables import metadata
from tests.support.prepared import begin_with, is_empty


@dataclass
class Captured:
    """A database, and the tables that are watched in it."""

    engine: Engine
    tables: Sequence[Table]

    @property
    def on_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def install(self, tables: Sequence[Table] | None = None) -> Installed:
        self.tables = self.tables if tables is None else tables
        database = database_of(self.engine, Settings())
        with closing(database.connect()) as connection, database.transaction(connection):
            if not inspect(connection).has_table(tracked_table.name):
                create_own_tables(connection)
            return install(connection, "ticket", self.tables)

    def problems(self) -> list[CaptureProblem]:
        database = database_of(self.engine, Settings())
        with closing(database.connect()) as connection:
            return problems(connection, "ticket", self.tables)

    @property
    def watches(self) -> TrackedTables:
        with self.engine.connect() as connection:
            return capture.load(connection, self.tables)

    def changes(self) -> list[Change]:
        """What is in the journal, which is empty then."""
        with self.engine.begin() as connection:
            changed = changes_in(connection.execute(text("SELECT * FROM afterwork_journal ORDER BY id")).all())
            connection.execute(text("DELETE FROM afterwork_journal"))
        return changed

    def run(self, *statements: str, **values: Any) -> list[str]:
        """Run statements, each in a transaction of its own. Returns the changes."""
        for statement in statements:
            with self.engine.begin() as connection:
                connection.execute(text(statement), values)
        return self.told()

    def told(self) -> list[str]:
        """The changes as short texts: kind, table, key, and for an update the columns."""
        return sorted(map(self.tell, self.changes()))

    def tell(self, change: Change) -> str:
        watch = self.watches.by_id[change.table_id]
        columns = f" {','.join(watch.names(change.columns))}" if change.kind == "U" else ""
        return f"{change.kind} {watch.table.fullname} {change.key}{columns}"

    def image(self, change: Change, *, old: bool = False) -> dict[str, str | None]:
        values = change.old if old else change.new
        assert values is not None
        return dict(zip(self.watches.by_id[change.table_id].valued, values, strict=True))


def create_own_tables(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if table.info.get("only", connection.dialect.name) == connection.dialect.name:
            table.create(connection)


def own_tables(engine: Engine) -> None:
    """A database with Afterwork's own tables, in which nothing is captured yet."""
    with engine.begin() as connection:
        create_own_tables(connection)


@pytest.fixture
def captured(engine: Engine) -> Callable[..., Captured]:
    """Makes tables and watches them."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))

    def start(*tables: Table, watched: Sequence[Table] | None = None) -> Captured:
        if is_empty(engine):
            begin_with(engine, own_tables)
        with engine.begin() as connection:
            for schema in {table.schema for table in tables} - {None}:
                connection.execute(text(f'CREATE SCHEMA "{schema}"'))
            for table in tables:
                table.create(connection, checkfirst=True)
        tables_captured = Captured(engine, list(tables if watched is None else watched))
        tables_captured.install()
        return tables_captured

    return start
