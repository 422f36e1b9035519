"""Install the capture of an application's tables, and find where the capture of any table had gaps.

The triggers themselves are in `store/postgresql/capture.py` and `store/sqlite/capture.py`.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Table, update

from afterwork.derived.inversion.plans import CaptureNeeds
from afterwork.store.dialects import capture_on
from afterwork.store.journal import tables as own
from afterwork.store.journal.capture import (
    Capture,
    CaptureDefinition,
    CapturedTable,
    CapturePlan,
    capturable,
    captured_tables,
)
from afterwork.store.journal.continuity import CatalogState, Interruption, Marks, is_restored, reasons
from afterwork.store.journal.route_spec import (
    DroppedRoute,
    NumberedRoute,
    pass_on_touches,
    routes_by_table,
    save_routes,
)
from afterwork.store.journal.text_forms import Forms, forms_of
from afterwork.store.journal.tracked_table import TrackedTable, TrackedTables

LEFT = "they are captured no more"
OLDER = "an older Afterwork has captured them"


@dataclass(frozen=True)
class Installed:
    """The result of an installation: a line for each step, and the tables whose changes may have been missed before."""

    lines: tuple[str, ...]
    gaps: tuple[Interruption, ...]

    @property
    def missed(self) -> list[str]:
        """Return the names of the tables whose changes may have been missed."""
        return [gap.table for gap in self.gaps]


NeedsOf = Callable[[TrackedTables], CaptureNeeds]
"""Returns what an application needs of the triggers, once its tables are known."""

JOURNAL = CaptureNeeds((), is_journaled=True)
"""The needs of an application whose derivations all have manifests."""


def install(
    connection: Connection, application: str, tables: Sequence[Table], needs_of: NeedsOf = lambda _: JOURNAL
) -> Installed:
    """Capture these tables for an application, and no others for it, in the open transaction.

    Tables that other applications want stay captured.
    """
    return _Installing(capture_on(connection), application, needs_of).install(capturable(tables))


def look(connection: Connection) -> list[Interruption]:
    """Return the captured tables, of all applications, whose changes may have been missed since their last inspection.

    Each is returned once: their present state is remembered in the open transaction.
    """
    capture, known = capture_on(connection), captured_tables(connection)
    shown = capture.catalog_states()
    inspected = [captured for captured in known.values() if captured.marks is not None]
    interruptions = [
        interruption
        for captured in inspected
        if (interruption := _interruption(captured, shown.get(captured.id, CatalogState()))) is not None
    ]
    shown = capture.mark_inspected(shown)
    for captured in known.values():
        _remember(connection, captured, shown.get(captured.id, CatalogState()))
    return interruptions


def _interruption(captured: CapturedTable, shown: CatalogState) -> Interruption | None:
    """Return what has interrupted the capture of a table since its last inspection; None if nothing has."""
    before = captured.marks or {}
    causes = reasons(before, shown.marks)
    if not causes:
        return None
    return Interruption(captured.id, captured.name, causes, shown.faults, is_restored(before, shown.marks))


def _remember(connection: Connection, captured: CapturedTable, shown: CatalogState) -> None:
    if captured.installed is None or (captured.marks, captured.fingerprint) == (shown.marks, shown.fingerprint):
        return
    values = {"marks": _written(shown.marks), "fingerprint": shown.fingerprint}
    connection.execute(update(own.tracked_table).where(own.tracked_table.c.id == captured.id).values(values))


@dataclass
class _Installing:
    """An installation in progress. `shown` is the present catalog state of each captured table, by number."""

    capture: Capture
    application: str
    needs_of: NeedsOf
    lines: list[str] = field(default_factory=list)
    gaps: dict[int, Interruption] = field(default_factory=dict)
    known: dict[str, CapturedTable] = field(default_factory=dict)
    shown: dict[int, CatalogState] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    routes: Mapping[int, Sequence[NumberedRoute]] = field(default_factory=dict)
    is_journaled: bool = True

    def install(self, tables: Sequence[Table]) -> Installed:
        """Take all steps, in order."""
        self.lines += self.capture.prepare()
        self.known = captured_tables(self.capture.connection)
        self._look(self.known.values())
        dropped = self._save_routes(tables)
        here = {table.fullname for table in tables if self._see_to(table)}
        for captured in list(self.known.values()):
            if captured.name not in here:
                self._leave(captured)
        pass_on_touches(self.capture.connection, dropped)
        self.lines += self.capture.close()
        self._remember()
        return Installed(tuple(self.lines), tuple(self.gaps.values()))

    def _save_routes(self, tables: Sequence[Table]) -> list[DroppedRoute]:
        """Save the routes that begin with these tables. Tables that are new get their numbers."""
        captured = {table: captured for table in tables if (captured := self._wanted(table)) is not None}
        tracked = TrackedTables(
            TrackedTable(wanted.columns, wanted.valued, wanted.id, table, self._present(table, wanted.forms or {}))
            for table, wanted in captured.items()
        )
        ids = {wanted.name: wanted.id for wanted in captured.values()}
        needs = self.needs_of(tracked)
        self.is_journaled = needs.is_journaled
        dropped = save_routes(self.capture.connection, self.application, needs.routes, ids)
        self.routes = routes_by_table(self.capture.connection)
        for name, known in self.known.items():
            self.known[name] = replace(known, routes=self.routes.get(known.id, ()))
        return dropped

    def _wanted(self, table: Table) -> CapturedTable | None:
        """Return a table as it is wanted; None if the database doesn't have it."""
        if self.capture.columns(table) is None:
            return None
        if table.fullname not in self.numbers:
            self.numbers[table.fullname] = self._number_of(table)
        known = self.known.get(table.fullname) or CapturedTable(self.numbers[table.fullname], table.fullname)
        forms = forms_of(self.capture.forms(table), self.capture.dialect.name)
        return known.wanted_by(self.application, table, forms, is_journaled=self.is_journaled)

    def _present(self, table: Table, forms: Forms) -> Forms:
        """Return the forms of the columns that the database has: a migration may have dropped others."""
        present = set(self.capture.columns(table) or ())
        return {name: form for name, form in forms.items() if name in present}

    def _number_of(self, table: Table) -> int:
        known = self.known.get(table.fullname)
        if known is not None:
            return known.id
        return max((*(captured.id for captured in self.known.values()), *self.numbers.values()), default=0) + 1

    def _look(self, tables: Iterable[CapturedTable]) -> None:
        """Find where changes may have been missed, whichever application wants the tables."""
        states = self.capture.catalog_states()
        for captured in tables:
            self.shown[captured.id] = shown = states.get(captured.id, CatalogState())
            if captured.installed is None:
                continue
            if captured.marks is None:
                self.gaps[captured.id] = Interruption(captured.id, captured.name, (OLDER,), everywhere=True)
            elif (missed := _interruption(captured, shown)) is not None:
                self.gaps[captured.id] = missed

    def _miss(self, captured: CapturedTable, reasons: tuple[str, ...]) -> None:
        self.gaps.setdefault(captured.id, Interruption(captured.id, captured.name, reasons))

    def _see_to(self, table: Table) -> bool:
        """Capture a table. Return False if the database has no such table."""
        known = self.known.get(table.fullname)
        number = self._number_of(table) if table.fullname not in self.numbers else self.numbers[table.fullname]
        before = known or CapturedTable(number, table.fullname, routes=self.routes.get(number, ()))
        plan = self._plan(before, table)
        if plan is None:
            return False
        if plan.is_done and before.id not in self.gaps:
            self._write(before, plan.captured)
        else:
            self._make(before, table, is_new=known is None)
        return True

    def _plan(self, captured: CapturedTable, table: Table) -> CapturePlan | None:
        state = self.shown.get(captured.id, CatalogState())
        return self.capture.plan(captured, self.application, table, state, is_journaled=self.is_journaled)

    def _make(self, before: CapturedTable, table: Table, *, is_new: bool) -> None:
        """Install the triggers that are needed once the table is locked."""
        self.capture.lock(before, table)
        self._look([before])
        plan = self._plan(before, table)
        assert plan is not None, "the table is locked"
        if not is_new and plan.gaps:
            self._miss(before, plan.gaps)
        self.lines.append(f"changes of {table.fullname} {_done_to(plan, self.gaps.get(before.id))}")
        self.lines += [f"changes of {table.fullname}: {limit}" for limit in plan.state.limits]
        self._write(
            before,
            replace(plan.captured, installed=CaptureDefinition(plan.columns, plan.definition), marks=None),
            is_new=is_new,
        )
        self.capture.install(plan)

    def _leave(self, captured: CapturedTable) -> None:
        """Stop capturing for this application a table that it doesn't want, or that doesn't exist."""
        rest = captured.wanted_by_others(self.application)
        if captured.installed is None or (rest.wanted and rest == captured):
            return
        if rest.wanted:
            others = ", ".join(sorted(rest.wanted))
            self.lines.append(f"changes of {captured.name} go on being captured for the application of {others}")
            self._write(captured, rest)
            return
        self.capture.drop(captured)
        self._write(captured, replace(rest, installed=None, marks=None, fingerprint=None))
        self.lines.append(f"changes of {captured.name} captured no more")
        self._miss(captured, (LEFT,))

    def _write(self, before: CapturedTable, after: CapturedTable, *, is_new: bool = False) -> None:
        if after == before and not is_new:
            return
        self.known[after.name] = after
        execute = self.capture.connection.execute
        if is_new:
            execute(own.tracked_table.insert().values(id=after.id, name=after.name, **_row(after)))
        else:
            execute(update(own.tracked_table).where(own.tracked_table.c.id == after.id).values(_row(after)))

    def _remember(self) -> None:
        """Remember the state of each table: the present one after new triggers, else the one that was compared."""
        new = [
            captured for captured in self.known.values() if captured.installed is not None and captured.marks is None
        ]
        inspected: Mapping[int, CatalogState] = (
            self.capture.mark_inspected(self.capture.catalog_states()) if new else {}
        )
        for captured in self.known.values():
            states = inspected if captured in new else self.shown
            _remember(self.capture.connection, captured, states.get(captured.id, CatalogState()))


def _row(captured: CapturedTable) -> dict[str, Any]:
    return {
        "columns": json.dumps(captured.columns, ensure_ascii=False),
        "valued": json.dumps(captured.valued, ensure_ascii=False),
        "forms": json.dumps({name: form.name for name, form in (captured.forms or {}).items()}, ensure_ascii=False),
        "wanted": json.dumps(captured.wanted, ensure_ascii=False),
        "installed": None if captured.installed is None else captured.installed.to_json(),
        "marks": None if captured.marks is None else _written(captured.marks),
        "fingerprint": captured.fingerprint,
        "journaled": json.dumps(captured.journaled, ensure_ascii=False),
    }


def _written(marks: Marks) -> str:
    return json.dumps(marks, ensure_ascii=False)


def _done_to(plan: CapturePlan, gap: Interruption | None) -> str:
    if plan.captured.installed is None:
        return "captured"
    return f"captured anew: {gap.why if gap else 'the model or Afterwork has changed'}"
