"""Capture: triggers on the watched tables write each change into the journal, whoever makes it."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Dialect, Table, select, update

from afterwork.journal import tables as own
from afterwork.journal.values import is_unwatched, is_valued, watched_columns
from afterwork.journal.watch import Columns, Watch, Watches
from afterwork.store.database import Database
from afterwork.store.tables import metadata

INSTALL_AGAIN = "Install again, with app.install(engine) or: afterwork install MODULE:APP --database URL"


@dataclass(frozen=True)
class Installed:
    """What was done, a line each, and the names of the tables of which changes may have been missed before."""

    lines: tuple[str, ...]
    gaps: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """What is wrong with the capture of a table, and what to do."""

    table: str
    what: str
    advice: str


@dataclass(frozen=True)
class Remembered:
    """What was made when a table was last seen to: the columns, the definition of what writes them down, and marks by
    which the database tells whether it is still the same."""

    columns: tuple[str, ...] = ()
    definition: str = ""
    marks: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Remembered":
        found = json.loads(text)
        return cls(tuple(found["columns"]), found["definition"], found["marks"])

    def written(self) -> str:
        return json.dumps(vars(self), ensure_ascii=False)


@dataclass(frozen=True)
class Watched:
    """A table as `afterwork_watch` knows it. `remembered` is None if it is not watched now."""

    id: int
    name: str
    columns: tuple[str, ...]
    valued: tuple[str, ...]
    remembered: Remembered | None

    def grown(self, table: Table, dialect: Dialect) -> "Watched":
        """With the columns that the model has got since. What there is keeps its place."""
        columns = [column.name for column in watched_columns(table)]
        valued = [column.name for column in table.columns if is_valued(column, dialect)]
        return Watched(self.id, self.name, _more(self.columns, columns), _more(self.valued, valued), self.remembered)


@dataclass(frozen=True)
class Present:
    """What the database has. `definition` is empty if it is not there; `faults` are what should not be so, in words."""

    definition: str
    marks: dict[str, str]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What should be there for one table. `columns` are those that both the model and the database have, `lost` those
    that only the model has."""

    watched: Watched
    columns: tuple[str, ...]
    lost: tuple[str, ...]
    definition: str
    present: Present

    @property
    def faults(self) -> Iterator[str]:
        """What is not as it was made, in words."""
        remembered = self.watched.remembered
        if remembered is None:
            return
        yield from self.present.faults
        if self.present.definition and self.present.definition != remembered.definition:
            yield "what writes its changes down was replaced"
        for name, mark in remembered.marks.items():
            if name in self.present.marks and self.present.marks[name] != mark:
                yield f"{name} was switched off and on, or made again"

    @property
    def has_gap(self) -> bool:
        """Whether changes may have been missed since the table was last seen to."""
        remembered = self.watched.remembered
        if remembered is None:
            return False
        return any(True for _ in self.faults) or remembered.columns != self.columns

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        remembered = self.watched.remembered
        return (
            remembered is not None
            and not any(True for _ in self.faults)
            and (remembered.columns, remembered.definition) == (self.columns, self.definition)
        )


class Capture(ABC):
    """What differs between the databases. `connection` has the transaction in which all is done."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.dialect = connection.dialect

    @abstractmethod
    def prepare(self) -> Iterator[str]:
        """Make the journal ready for all who write. Yields what was done."""

    @abstractmethod
    def columns(self, table: Table) -> Sequence[str] | None:
        """The columns that a table has in the database; None if there is no such table."""

    @abstractmethod
    def definition(self, watched: Watched, table: Table, columns: Sequence[str]) -> str:
        """What is to write down the changes of these columns."""

    @abstractmethod
    def present(self, watched: Watched, table: Table) -> Present:
        """What is there."""

    @abstractmethod
    def make(self, plan: Plan, table: Table) -> None:
        """Make or replace what is to be there."""

    @abstractmethod
    def drop(self, watched: Watched) -> bool:
        """Take away whatever is there for a table. False if nothing was."""

    def plan(self, watched: Watched, table: Table) -> Plan | None:
        """What should be there for a table, None if the table is not."""
        there = self.columns(table)
        if there is None:
            return None
        watched = watched.grown(table, self.dialect)
        wanted = [column.name for column in watched_columns(table)]
        columns = tuple(name for name in watched.columns if name in wanted and name in there)
        lost = tuple(name for name in wanted if name not in there)
        definition = self.definition(watched, table, columns)
        return Plan(watched, columns, lost, definition, self.present(watched, table))


def install(database: Database, connection: Connection, tables: Sequence[Table]) -> Installed:
    """Watch these tables and no others, within the transaction that is open."""
    lines: list[str] = []
    gaps: list[str] = []
    capture = capture_on(connection)
    lines += capture.prepare()
    known = _known(connection)
    here: set[str] = set()
    for table in _watchable(tables):
        watched = known.get(table.fullname)
        plan = capture.plan(watched or _new(table, known), table)
        if plan is None:
            continue
        here.add(table.fullname)
        known[table.fullname] = plan.watched
        if plan.has_gap:
            gaps.append(table.fullname)
        if not plan.is_done or plan.watched != watched:
            lines.append(f"changes of {table.fullname} {_done_to(plan)}")
            _make(capture, plan, table, is_new=watched is None)
    lines += _leave(capture, known, here)
    return Installed(tuple(lines), tuple(gaps))


def load(connection: Connection, tables: Sequence[Table]) -> Watches:
    """The tables that are watched."""
    known = _known(connection)
    return Watches(
        Watch(watched.id, table, watched.columns, watched.valued)
        for table in _watchable(tables)
        if (watched := known.get(table.fullname)) is not None and watched.remembered is not None
    )


def columns_of_all(connection: Connection) -> dict[int, Columns]:
    """The columns of all tables that are or were watched, by number, as the database has them by now."""
    return {found.id: Columns(found.columns, found.valued) for found in _known(connection).values()}


def problems(database: Database, connection: Connection, tables: Sequence[Table]) -> list[Problem]:
    """What is wrong with the capture of these tables. [] if every change of them is written down."""
    return [
        Problem(table.fullname, what, advice)
        for capture, known in [(capture_on(connection), _known(connection))]
        for table in _watchable(tables)
        for what, advice in _problems(capture, known, table)
    ]


def capture_on(connection: Connection) -> Capture:
    """The capture of a connection's database."""
    if connection.dialect.name == "sqlite":
        from afterwork.journal.sqlite import SQLiteCapture

        return SQLiteCapture(connection)
    from afterwork.journal.postgresql import PostgreSQLCapture

    return PostgreSQLCapture(connection)


def _problems(capture: Capture, known: dict[str, Watched], table: Table) -> Iterator[tuple[str, str]]:
    watched = known.get(table.fullname)
    plan = capture.plan(watched or _new(table, known), table)
    if plan is None:
        if watched is not None and watched.remembered is not None:
            yield "is gone or has another name", "Bring it back, or install again without it"
        return
    if watched is None or watched.remembered is None:
        yield "is not watched yet", INSTALL_AGAIN
        return
    for name in plan.lost:
        yield f"has no column {name}", "Add the column, or take it out of the model; then install again"
    faults = list(plan.faults)
    for fault in faults:
        yield fault, INSTALL_AGAIN
    if not faults and not plan.is_done:
        yield "is watched as an older model or another version of Afterwork had it", INSTALL_AGAIN


def _watchable(tables: Sequence[Table]) -> list[Table]:
    return [table for table in tables if _is_watchable(table)]


def _is_watchable(table: Table) -> bool:
    is_temporary = any("TEMP" in prefix.upper() for prefix in getattr(table, "_prefixes", ()))
    return not is_unwatched(table) and table.metadata is not metadata and not is_temporary


def _known(connection: Connection) -> dict[str, Watched]:
    rows = connection.execute(select(own.watch).order_by(own.watch.c.id))
    return {
        row.name: Watched(
            row.id,
            row.name,
            tuple(json.loads(row.columns)),
            tuple(json.loads(row.valued)),
            None if row.installed is None else Remembered.read(row.installed),
        )
        for row in rows
    }


def _new(table: Table, known: dict[str, Watched]) -> Watched:
    number = max((watched.id for watched in known.values()), default=0) + 1
    return Watched(number, table.fullname, (), (), None)


def _more(known: tuple[str, ...], names: Sequence[str]) -> tuple[str, ...]:
    return (*known, *(name for name in names if name not in known))


def _done_to(plan: Plan) -> str:
    return "captured" if plan.watched.remembered is None else f"captured anew: {_reason(plan)}"


def _reason(plan: Plan) -> str:
    return "; ".join(plan.faults) or "the model or Afterwork has changed"


def _make(capture: Capture, plan: Plan, table: Table, *, is_new: bool) -> None:
    capture.make(plan, table)
    marks = capture.present(plan.watched, table).marks
    watched = plan.watched
    values: dict[str, Any] = {
        "columns": json.dumps(watched.columns, ensure_ascii=False),
        "valued": json.dumps(watched.valued, ensure_ascii=False),
        "installed": Remembered(plan.columns, plan.definition, marks).written(),
    }
    if is_new:
        capture.connection.execute(own.watch.insert().values(id=watched.id, name=watched.name, **values))
    else:
        capture.connection.execute(update(own.watch).where(own.watch.c.id == watched.id).values(values))


def _leave(capture: Capture, known: dict[str, Watched], here: set[str]) -> Iterator[str]:
    """Watch no more what is not to be watched, or is not there."""
    for watched in known.values():
        if watched.name not in here and watched.remembered is not None:
            capture.drop(watched)
            capture.connection.execute(update(own.watch).where(own.watch.c.id == watched.id).values(installed=None))
            yield f"changes of {watched.name} captured no more"
