"""Everything that can be read of an installation, for the command line and whoever else shows it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, inspect, select

from afterwork.clock import Clock
from afterwork.insight import machines
from afterwork.insight.aside import kept_aside
from afterwork.insight.diagram import svg
from afterwork.insight.machines import MachineView, machines_in
from afterwork.journal import capture
from afterwork.manifest.explain import CacheSummary, Explainer
from afterwork.manifest.tables import due as dues
from afterwork.model.contract import Attribute
from afterwork.model.key import key_text
from afterwork.model.lane import MAIN
from afterwork.model.reading import ReadModel
from afterwork.store import once, progress, schema, tables
from afterwork.store.database import Database, ServerRow
from afterwork.store.once import OnceRow
from afterwork.store.progress import Said
from afterwork.store.tickets import Columns
from afterwork.store.tickets import aware as _aware
from afterwork.triggers.assemble import matcher_of

State = Literal["pending", "failed", "done"]


@dataclass(frozen=True)
class TicketView:
    """A ticket as it is shown. Moments are in UTC. `said` is how far its run says to be by `aw.progress`, while it goes
    on."""

    key: str
    state: State
    work: str | None
    root_id: str | None
    lane: str
    priority: int | None
    execute_earliest: datetime | None
    done: datetime | None
    attempts: int
    error: str | None
    said: Said | None = None


@dataclass(frozen=True)
class TimerView:
    """A timer as it is shown. `schedule` is in words. Of its last round: the due time that it was for, when it began,
    how many seconds until its last run had ended, how many objects it hit, how many failed and how many are left;
    `running` is what runs that go on have said of themselves by `aw.progress`. `known` says that the model has it; a
    timer that it has not does not fire."""

    name: str
    schedule: str
    lane: str | None
    due: datetime | None
    paused: bool
    last_due: datetime | None
    fired: datetime | None
    took: float | None
    hits: int
    failed: int
    left: int
    error: str | None
    known: bool
    running: Sequence[Said] = ()


OnceState = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class OnceView:
    """An action that runs once per database, as it is shown. Moments are in UTC. `waits_for` names the action above it
    that has failed, without which it would run; `said` is how far it says to be by `aw.progress`, while it goes on.
    `known` says that the model has it."""

    name: str
    state: OnceState
    began: datetime | None
    ended: datetime | None
    seconds: float | None
    result: str | None
    error: str | None
    waits_for: str | None
    known: bool
    said: Said | None = None


@dataclass(frozen=True)
class Status:
    """What goes on in a database. `waiting` counts pending tickets by lane; `oldest` is how long the first waits.
    `stale` counts caches that are stale, `stale_for` is how long the first has been so."""

    waiting: dict[str, int]
    running: int
    oldest: timedelta | None
    servers: list[str]
    paused: list[str]
    stale: int
    stale_for: timedelta | None


@dataclass(frozen=True)
class Finding:
    """One thing that `check` looked at. `advice` says what to do if it is not right. With `is_note`, that is worth
    knowing but no fault of the installation."""

    what: str
    right: bool
    advice: str = ""
    is_note: bool = False

    @property
    def is_fault(self) -> bool:
        return not self.right and not self.is_note


class Insight:
    """Reads one database. Changes nothing."""

    def __init__(self, database: Database, model: ReadModel, clock: Clock) -> None:
        self._database = database
        self._model = model
        self._clock = clock
        self._columns = Columns(model.contract, model.contract.table, database.dialect)

    def status(self) -> Status:
        """Counts of what waits and runs, and who is there to run it."""
        c = self._columns
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            lanes = select(c.lane, func.count()).where(c.pending).group_by(c.lane).order_by(c.lane)
            waiting = {str(lane): int(count) for lane, count in connection.execute(lanes)}
            running = connection.execute(select(func.count()).select_from(tables.lease)).scalar_one()
            paused = connection.execute(select(tables.lane.c.name).where(tables.lane.c.paused)).scalars()
            oldest, servers = self._oldest(connection), self._servers(connection)
            return Status(waiting, running, oldest, servers, list(paused), *self._stale(connection))

    def tickets(self, state: State | None = None, most: int = 20) -> list[TicketView]:
        """The newest tickets, all or those in one state."""
        c = self._columns
        contract = self._model.contract
        newest = select(contract.table).order_by(c.key.desc()).limit(most)
        match state:
            case "pending":
                newest = newest.where(c.pending)
            case "failed":
                newest = newest.where(contract.error.column.is_not(None))
            case "done":
                newest = newest.where(contract.done.column.is_not(None), contract.error.column.is_(None))
            case None:
                pass
        with self._database.engine.connect() as connection:
            rows = connection.execute(newest).all()
            names = [key_text(row._mapping[contract.key.column]) for row in rows]
            # Tickets can be seen without Afterwork's tables, too.
            installed = schema.version(connection) == tables.SCHEMA_VERSION
            said = progress.of_tickets(connection, names) if installed else {}
        return [replace(self._view(row), said=said.get(name)) for row, name in zip(rows, names, strict=True)]

    def timers(self) -> list[TimerView]:
        """All timers, those of the model and those that the database still knows, by name."""
        c, h = tables.timer.c, tables.hit.c
        left = select(func.count()).where(h.view_model == c.name, h.done.is_(None), h.error.is_(None)).scalar_subquery()
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            rows = {row.name: row for row in connection.execute(select(tables.timer, left.label("left")))}
            said = progress.of_hits(connection)
        names = sorted(rows.keys() | self._model.timers.keys())
        return [replace(self._timer_view(name, rows.get(name)), running=said.get(name, ())) for name in names]

    def _timer_view(self, name: str, row: Row[Any] | None) -> TimerView:
        timed = self._model.timers.get(name)
        words = timed.when.words() if timed is not None else row.schedule if row is not None else ""
        lane = None if timed is None else timed.lane
        if row is None:
            return TimerView(name, words, lane, None, False, None, None, None, 0, 0, 0, None, known=True)
        took = None if row.ended is None or row.fired is None else (row.ended - row.fired).total_seconds()
        return TimerView(
            name, words, lane, row.due, row.paused, row.last_due, row.fired, took, row.hits, row.failed, row.left,
            row.error, known=timed is not None,
        )  # fmt: skip

    def once(self) -> list[OnceView]:
        """What runs once per database: the actions of the model in their order, then others that have run here."""
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            rows = once.rows(connection)
            said = progress.of_tickets(connection, [once.KEY + name for name in [*rows, *self._once_names]])
        found = []
        for actions in self._model.once.values():
            failed: str | None = None
            for one in actions:
                row = rows.pop(one.name, None)
                found.append(_once_view(one.name, row, failed, known=True))
                failed = one.name if row is not None and row.error is not None else failed
        found += [_once_view(name, row, None, known=False) for name, row in sorted(rows.items())]
        return [replace(one, said=said.get(once.KEY + one.name)) for one in found]

    @property
    def _once_names(self) -> list[str]:
        return [one.name for actions in self._model.once.values() for one in actions]

    def caches(self) -> list[CacheSummary]:
        """All caches, over all objects: how many are fresh, stale, failed, and how far filling has come."""
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            return explainer.summaries(connection, self._model.caches)

    def machines(self) -> list[MachineView]:
        """All state machines, and where their objects stand. Counts all objects of their classes."""
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            return machines.views(connection, self._model)

    def diagrams(self) -> dict[str, str]:
        """The diagram of each machine, an SVG with the number of objects in each state, by the name of the machine."""
        found = {view.name: view for view in self.machines()}
        return {name: svg(machine.chart, _counts(found[name])) for name, _, machine in machines_in(self._model)}

    def check(self) -> list[Finding]:
        """Whether this installation is right, and what to do where it is not."""
        with self._database.engine.connect() as connection:
            found = list(self._findings(connection))
        return [replace(finding, advice="") if finding.right else finding for finding in found]

    def _findings(self, connection: Connection) -> Iterator[Finding]:
        contract = self._model.contract
        yield Finding(
            f"model: {len(self._model.classes)} classes, {len(self._model.works)} works, "
            f"tickets in {contract.table.fullname}",
            True,
        )
        if not inspect(connection).has_table(contract.table.name, schema=contract.table.schema):
            yield Finding(f"table {contract.table.fullname}", False, "Create the application's own tables first.")
            return
        install = "Run: afterwork install MODULE:APP --database URL"
        found = schema.version(connection)
        yield Finding(f"Afterwork's tables, version {found or 'none'}", found == tables.SCHEMA_VERSION, install)
        missing = schema.missing_indexes(self._database, connection, contract)
        yield Finding(f"indexes on {contract.table.fullname}", not missing, f"Missing: {', '.join(missing)}. {install}")
        if self._database.dialect == "postgresql":
            yield Finding("trigger that wakes servers", schema.has_wake_trigger(connection, contract), install)
        if found == tables.SCHEMA_VERSION:
            if self._model.caches:
                yield from self._capture(connection, install)
            yield from self._machines(connection)
            yield from self._failed_once(connection)
            yield from self._gone_timers(connection)
            servers = self._servers(connection)
            yield Finding(
                f"servers: {', '.join(servers) or 'none'}",
                bool(servers),
                "Start one: afterwork serve MODULE:APP --database URL",
                is_note=True,
            )

    def _machines(self, connection: Connection) -> Iterator[Finding]:
        """Objects in states that are gone, and transitions that may get in each other's way."""
        for name, state, count in machines.unknown_states(connection, self._model):
            advice = "Update these rows to a state that the machine has. As they are, they can't move."
            yield Finding(f"{name}: {count:,} objects stand in {state!r}, which the machine has not", False, advice)
        for name, state, steps in machines.rivals(self._model):
            advice = f"Of those whose guards hold, the first is taken: {'; '.join(steps)}."
            yield Finding(
                f"{name}: {len(steps)} transitions without an event leave {state}", False, advice, is_note=True
            )

    def _failed_once(self, connection: Connection) -> Iterator[Finding]:
        """What has failed that runs once per database, so that what stands below it waits."""
        for name in once.failed(connection, self._once_names):
            advice = f"See why, put it right, and: afterwork once MODULE:APP --retry {name} --database URL"
            yield Finding(f"{name}, which runs once, has failed", False, advice)

    def _gone_timers(self, connection: Connection) -> Iterator[Finding]:
        """What timers were renamed or taken out."""
        for name in sorted(set(connection.execute(select(tables.timer.c.name)).scalars()) - self._model.timers.keys()):
            advice = "It was renamed or taken out, and does not fire. A timer of a new name is a new timer."
            yield Finding(f"timer {name}: the model does not have it", False, advice, is_note=True)

    def _capture(self, connection: Connection, install: str) -> Iterator[Finding]:
        """Whether every change of what caches may read is noticed."""
        problems = capture.problems(self._database, connection, self._model.tables)
        for problem in problems:
            yield Finding(f"capture on {problem.table}: {problem.what}", False, problem.advice)
        if not problems:
            yield Finding(f"capture on {len(self._model.tables)} tables", True, install)
        for what, right, advice in kept_aside(connection):
            yield Finding(what, right, advice, is_note=True)

    def _oldest(self, connection: Connection) -> timedelta | None:
        created = self._model.contract.created
        if created is None:
            return None
        first = connection.execute(select(func.min(created.column)).where(self._columns.pending)).scalar()
        moment = _aware(first)
        return None if moment is None else max(timedelta(0), self._clock.now() - moment)

    def _stale(self, connection: Connection) -> tuple[int, timedelta | None]:
        since = dues.c.since
        found = connection.execute(select(func.count(since), func.min(since).label("first"))).one()
        first = _aware(found.first)
        return found[0], None if first is None else max(timedelta(0), self._clock.now() - first)

    def _servers(self, connection: Connection) -> list[str]:
        c = tables.server.c
        rows = connection.execute(select(c.id, c.host, c.process, c.process_started, c.seen, c.locked).order_by(c.id))
        now = self._clock.now()
        return [
            f"{row.id} (process {row.process} on {row.host})"
            for row in (ServerRow(*found) for found in rows)
            if self._database.is_alive(connection, row, now)
        ]

    def _view(self, row: Row[Any]) -> TicketView:
        contract = self._model.contract

        def of(attribute: Attribute | None) -> Any:
            value = None if attribute is None else row._mapping[attribute.column]
            return _aware(value) if isinstance(value, datetime) else value

        state: State = "failed" if of(contract.error) else "done" if of(contract.done) else "pending"
        return TicketView(
            key=str(of(contract.key)),
            state=state,
            work=of(contract.view_model),
            root_id=of(contract.root_id),
            lane=of(contract.lane) or MAIN,
            priority=of(contract.priority),
            execute_earliest=of(contract.execute_earliest),
            done=of(contract.done),
            attempts=of(contract.attempts) or 0,
            error=of(contract.error),
        )


def _once_view(name: str, row: OnceRow | None, failed: str | None, known: bool) -> OnceView:
    if row is None:
        return OnceView(name, "waiting", None, None, None, None, None, failed, known)
    state: OnceState = "running" if row.ended is None else "done" if row.error is None else "failed"
    return OnceView(name, state, row.began, row.ended, row.seconds, row.result, row.error, None, known)


def _counts(view: MachineView) -> dict[str, int]:
    """How many objects are in each state, by its id, outer states included."""
    counts: Counter[str] = Counter()
    for one in view.states:
        counts.update(dict.fromkeys(one.active, one.count))
    return counts
