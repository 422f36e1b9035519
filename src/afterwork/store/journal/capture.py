"""Capture: triggers on the captured tables write each change into the journal, whoever makes it."""

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sqlalchemy import Connection, Table, select

from afterwork.store.journal import tables as own
from afterwork.store.journal.continuity import CatalogMark, CatalogState, Marks
from afterwork.store.journal.route_spec import NumberedRoute, routes_by_table
from afterwork.store.journal.text_forms import Forms, forms_of
from afterwork.store.journal.tracked_table import NumberedColumns, TrackedTable, TrackedTables
from afterwork.store.journal.unwatched import is_unwatched
from afterwork.store.journal.values import captured_columns, is_valued
from afterwork.store.tables import installation, metadata
from afterwork.store.upsert import insert_into

WAS_LEFT = "was not captured for a while"
REPLACED = "what writes its changes down was replaced"
OTHER_FORMS = "its values are written down in another way"
OTHER_COLUMNS = "columns are captured that were not before"


@dataclass(frozen=True)
class CaptureDefinition:
    """The capture of a table as last installed: its columns, and the definition of its triggers."""

    columns: tuple[str, ...] = ()
    definition: str = ""

    @classmethod
    def read(cls, text: str) -> "CaptureDefinition":
        capture = json.loads(text)
        return cls(tuple(capture["columns"]), capture["definition"])

    def to_json(self) -> str:
        return json.dumps(vars(self), ensure_ascii=False)


@dataclass(frozen=True)
class CapturedTable:
    """A row of `afterwork_tracked_table`. `installed` is None if the table is not captured now; `wanted` has the
    columns that each application wants of it; `marks` are those of its last inspection; `routes` begin with its
    rows. An older Afterwork wrote neither marks nor forms: they are None."""

    id: int
    name: str
    columns: tuple[str, ...] = ()
    valued: tuple[str, ...] = ()
    installed: CaptureDefinition | None = None
    wanted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    marks: Marks | None = None
    fingerprint: str | None = None
    forms: Forms | None = None
    routes: Sequence[NumberedRoute] = ()
    journaled: tuple[str, ...] = ()

    @property
    def is_journaled(self) -> bool:
        """Return whether any application needs its changes in the journal."""
        return bool(self.journaled)

    def wanted_by(self, application: str, table: Table, forms: Forms, *, is_journaled: bool) -> "CapturedTable":
        """Return the table as an application's model declares it, with the columns' current forms. Existing columns
        keep their positions."""
        others = tuple(name for name in self.journaled if name != application)
        columns = captured_columns(table)
        names = tuple(column.name for column in columns)
        return replace(
            self,
            columns=_more(self.columns, names),
            valued=_more(self.valued, [column.name for column in columns if is_valued(column, forms)]),
            forms={**(self.forms or {}), **forms},
            wanted={**self.wanted, application: names},
            journaled=(*others, application) if is_journaled else others,
        )

    def is_written_alike(self, before: "CapturedTable") -> bool:
        """Return whether the columns that were captured before are still written in the same way."""
        forms = self.forms or {}
        return before.forms is not None and all(forms.get(name) is form for name, form in before.forms.items())

    def wanted_by_others(self, application: str) -> "CapturedTable":
        """Return the table without the columns that an application has wanted."""
        wanted = {name: columns for name, columns in self.wanted.items() if name != application}
        return replace(self, wanted=wanted, journaled=tuple(name for name in self.journaled if name != application))


@dataclass(frozen=True)
class CapturePlan:
    """The wanted and the actual capture of one table. `found_definition` is that of its triggers, empty if it
    lacks any of them. `columns` are those that applications want and the database has, `lost` those that only the
    model has; `table` has all of the former."""

    captured: CapturedTable
    table: Table
    columns: tuple[str, ...]
    lost: tuple[str, ...]
    definition: str
    found_definition: str
    state: CatalogState
    is_written_alike: bool

    @property
    def faults(self) -> tuple[str, ...]:
        """Return the reasons, in words, why changes are not captured as things stand."""
        installed = self.captured.installed
        if installed is None:
            return ()
        if not self.found_definition:
            return self.state.faults or ("nothing writes its changes down",)
        return self.state.faults if self.found_definition == installed.definition else (*self.state.faults, REPLACED)

    @property
    def gaps(self) -> tuple[str, ...]:
        """Return why changes to the captured columns may have been missed, if the table was known before."""
        installed = self.captured.installed
        if installed is None:
            return (WAS_LEFT,)
        if self.faults:
            return self.faults
        if not self.is_written_alike:
            return (OTHER_FORMS,)
        return () if set(self.columns) <= set(installed.columns) else (OTHER_COLUMNS,)

    @property
    def is_enough(self) -> bool:
        """Return whether all wanted changes are captured; unwanted ones may be, too."""
        installed = self.captured.installed
        is_wider = installed is not None and set(installed.columns) > set(self.columns)
        return self.is_done or (is_wider and not self.faults and self.is_written_alike)

    @property
    def is_done(self) -> bool:
        """Return whether nothing is left to do."""
        installed = self.captured.installed
        asked, wanted = (
            (self.columns, self.definition),
            None if installed is None else (installed.columns, installed.definition),
        )
        return not self.faults and self.is_written_alike and asked == wanted


RESTORED = "restored"

LAST_RESTORE = f"(SELECT value FROM {installation.name} WHERE name = '{RESTORED}')"


class Glance(NamedTuple):
    """The result of one look at all captured tables, and what tells the last restore that was seen from others."""

    has_changed: bool
    last_restore: str | None


class Capture(ABC):
    """Capture in one kind of database. `connection` has the transaction in which everything happens."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.dialect = connection.dialect

    @abstractmethod
    def prepare(self) -> Iterator[str]:
        """Prepare the journal for all writers. Yields a line for each step."""

    def close(self) -> Iterable[str]:
        """Revoke what an older Afterwork granted, once nothing needs it. Returns a line for each step."""
        return ()

    @abstractmethod
    def columns(self, table: Table) -> Sequence[str] | None:
        """Return the columns of a table in the database; None without such a table."""

    @abstractmethod
    def forms(self, table: Table) -> Mapping[str, str]:
        """Return the names of the text forms of a table's columns in the database."""

    @abstractmethod
    def definition(self, captured: CapturedTable, table: Table, columns: Sequence[str]) -> str:
        """Return the definition of the triggers for these columns."""

    @abstractmethod
    def found_definition(self, captured: CapturedTable, table: Table) -> str:
        """Return the definition of a table's current triggers; empty if some are missing."""

    @abstractmethod
    def lock(self, captured: CapturedTable, table: Table) -> None:
        """Lock a table, so that nobody else writes to it or changes its triggers."""

    @abstractmethod
    def install(self, plan: CapturePlan) -> None:
        """Create or replace the triggers of a plan."""

    @abstractmethod
    def drop(self, captured: CapturedTable) -> None:
        """Drop all triggers of a table."""

    @abstractmethod
    def mark_inspected(self, shown: Mapping[int, CatalogState]) -> Mapping[int, CatalogState]:
        """Record the current catalog as inspected. Return the states that it shows from then on."""

    @abstractmethod
    def catalog_states(self) -> Mapping[int, CatalogState]:
        """Return the catalog state of each captured table, by its number."""

    @abstractmethod
    def glance(self) -> Glance:
        """Return whether any captured table differs from its remembered state. One statement asks for all of them."""

    def note_restore(self) -> None:
        """Let all servers see that the database was restored, whichever of them has seen it first."""
        values = {"name": RESTORED, "value": str(uuid.uuid4())}
        insert = insert_into(self.dialect.name, installation).values(values)
        self.connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=values))

    def plan(
        self, captured: CapturedTable, application: str, table: Table, state: CatalogState, *, is_journaled: bool
    ) -> CapturePlan | None:
        """Return the plan for a table; None if the table does not exist."""
        present = self.columns(table)
        if present is None:
            return None
        before = captured
        forms = forms_of(self.forms(table), self.dialect.name)
        captured = before.wanted_by(application, table, forms, is_journaled=is_journaled)
        wanted = {name for names in captured.wanted.values() for name in names}
        columns = tuple(name for name in captured.columns if name in wanted and name in present)
        lost = tuple(name for name in captured.wanted[application] if name not in present)
        definition = self.definition(captured, table, columns)
        is_alike = captured.is_written_alike(before)
        return CapturePlan(
            captured, table, columns, lost, definition, self.found_definition(captured, table), state, is_alike
        )


def load(connection: Connection, tables: Sequence[Table]) -> TrackedTables:
    known = captured_tables(connection)
    return TrackedTables(
        TrackedTable(captured.columns, captured.valued, captured.id, table, captured.forms or {})
        for table in capturable(tables)
        if (captured := known.get(table.fullname)) is not None and captured.installed is not None
    )


def not_journaled(connection: Connection) -> list[str]:
    """Return the names of the captured tables whose changes are not in the journal."""
    known = captured_tables(connection).values()
    return sorted(captured.name for captured in known if captured.installed is not None and not captured.is_journaled)


def columns_of_all(connection: Connection) -> dict[int, NumberedColumns]:
    """Return the current columns of all tables that are or were captured, by number."""
    return {table.id: NumberedColumns(table.columns, table.valued) for table in captured_tables(connection).values()}


def capturable(tables: Iterable[Table]) -> list[Table]:
    """Return the model's tables that can be captured and are not left out."""
    return [table for table in tables if _is_capturable(table)]


def _is_capturable(table: Table) -> bool:
    is_temporary = any("TEMP" in prefix.upper() for prefix in getattr(table, "_prefixes", ()))
    return not is_unwatched(table) and table.metadata is not metadata and not is_temporary


def captured_tables(connection: Connection) -> dict[str, CapturedTable]:
    """Return all tables that are or were captured, by name."""
    rows = connection.execute(select(own.tracked_table).order_by(own.tracked_table.c.id))
    routes = routes_by_table(connection)
    return {
        row.name: CapturedTable(
            row.id,
            row.name,
            tuple(json.loads(row.columns)),
            tuple(json.loads(row.valued)),
            None if row.installed is None else CaptureDefinition.read(row.installed),
            {application: tuple(names) for application, names in json.loads(row.wanted or "{}").items()},
            None if row.marks is None else _marks(row.marks),
            row.fingerprint,
            None if row.forms is None else forms_of(json.loads(row.forms), connection.dialect.name),
            routes.get(row.id, ()),
            tuple(json.loads(row.journaled or row.wanted or "[]")),  # an older Afterwork wrote everything down
        )
        for row in rows
    }


def _marks(text: str) -> Marks:
    return {kind: {key: CatalogMark(*mark) for key, mark in marks.items()} for kind, marks in json.loads(text).items()}


def _more(known: tuple[str, ...], names: Sequence[str]) -> tuple[str, ...]:
    return (*known, *(name for name in names if name not in known))
