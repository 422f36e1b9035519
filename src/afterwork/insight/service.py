"""All that can be read of one database."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from afterwork.clock import Clock
<<<<<<< HEAD
from afterwork.insight import machines
from afterwork.insight.aside import kept_aside
=======
from afterwork.insight import history, machines, once, timers
from afterwork.insight import status as statuses
from afterwork.insight import tickets as ticket_views
from afterwork.insight.check import Check, Finding
>>>>>>> 07351431e0b4e38e4e7b904c2e16d798c0c4d413
from afterwork.insight.diagram import svg
from afterwork.insight.history import Latency, Minute, Total
from afterwork.insight.machines import MachineView, machines_in
from afterwork.insight.once import OnceView
from afterwork.insight.overview import HOUR, Overview, attention, last_hour
from afterwork.insight.status import Status
from afterwork.insight.tickets import State, TicketView
from afterwork.insight.timers import TimerView
from afterwork.manifest.explain import CacheSummary, Explainer
from afterwork.model.reading import ReadModel
from afterwork.store import schema
from afterwork.store.database import Database
from afterwork.store.history import RunOutcome, RunRecord, records
from afterwork.store.tickets import Columns
from afterwork.triggers.assemble import matcher_of


class Insight:
    """Reads one database. Changes nothing. What needs Afterwork's own tables raises `NotInstalled` or `WrongSchema`
    where they are not as they must be."""

    def __init__(self, database: Database, model: ReadModel, clock: Clock) -> None:
        self._database = database
        self._model = model
        self._clock = clock
        self._columns = Columns(model.contract, model.contract.table, database.dialect)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            yield connection

    def status(self) -> Status:
        """Counts of what waits and runs, and who is there to run it."""
        with self._reading() as connection:
            contract, now = self._model.contract, self._clock.now()
            return statuses.status(self._database, connection, contract, self._columns, now)

    def tickets(self, state: State | None = None, most: int = 20) -> Sequence[TicketView]:
        """The newest tickets, all or those in one state. Tickets can be seen without Afterwork's tables, too."""
        with self._database.engine.connect() as connection:
            return ticket_views.newest(connection, self._model.contract, self._columns, state, most)

    def timers(self) -> Sequence[TimerView]:
        """All timers, those of the model and those that the database still knows, by name."""
        with self._reading() as connection:
            return timers.views(connection, self._model)

    def once(self) -> Sequence[OnceView]:
        """What runs once per database: the actions of the model in their order, then others that have run here."""
        with self._reading() as connection:
            return once.views(connection, self._model)

    def caches(self) -> Sequence[CacheSummary]:
        """All caches, over all objects: how many are fresh, stale, failed, and how far filling has come."""
        with self._reading() as connection:
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            return explainer.summaries(connection, self._model.caches)

    def machines(self) -> Sequence[MachineView]:
        """All state machines, and where their objects stand. Counts all objects of their classes."""
        with self._reading() as connection:
            return machines.views(connection, self._model)

    def diagrams(self) -> dict[str, str]:
        """The diagram of each machine, an SVG with the number of objects in each state, by the name of the machine."""
        found = {view.name: view for view in self.machines()}
        return {name: svg(machine.chart, _counts(found[name])) for name, _, machine in machines_in(self._model)}

    def throughput(self, since: datetime, work: str | None = None) -> Sequence[Minute]:
        """What ended in each minute since a moment, oldest first, by work and kind of trigger; of one work or of all.
        Servers write it every few seconds."""
        with self._reading() as connection:
            return history.throughput(connection, since, work)

    def latency(self, since: datetime, work: str | None = None) -> Latency:
        """How long it took from due to done since a moment, of one work or of all."""
        with self._reading() as connection:
            return history.latency(connection, since, work)

    def totals(self) -> Sequence[Total]:
        """What the runs of each work have come to since the beginning. These never go down."""
        with self._reading() as connection:
            return history.totals(connection)

    def failures(self, since: datetime, most: int = 20) -> Sequence[RunRecord]:
        """The newest runs that failed since a moment."""
        with self._reading() as connection:
            return records(connection, {"outcome": "failed"}, since, None, most)

    def runs(
        self,
        *,
        work: str | None = None,
        ticket: str | None = None,
        root: str | None = None,
        outcome: RunOutcome | None = None,
        most: int = 20,
        before: int | None = None,
    ) -> Sequence[RunRecord]:
        """The newest runs that failed, were put off, or were slow. `before` is the `id` of the last one of the page
        before; `ticket` is the key of a ticket or hit, `root` an external id."""
        asked = {"work": work, "ticket": ticket, "root_id": root, "outcome": outcome}
        wanted = {name: value for name, value in asked.items() if value is not None}
        with self._reading() as connection:
            return records(connection, wanted, None, before, most)

    def overview(self) -> Overview:
        """Whether all is well, at one glance."""
        now = self._clock.now()
        status, minutes = self.status(), self.throughput(now - HOUR)
        needs = tuple(attention(status, minutes, self.timers(), self.once(), now))
        failed = sum(one.failed for one in minutes)
        return Overview(status, self.latency(now - HOUR), failed, last_hour(minutes, now), needs)

    def check(self) -> Sequence[Finding]:
        """Whether this installation is right, and what to do where it is not."""
        with self._database.engine.connect() as connection:
            found = list(Check(self._database, self._model, self._clock.now()).findings(connection))
        return [replace(finding, advice="") if finding.right else finding for finding in found]

<<<<<<< HEAD
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

=======
>>>>>>> 07351431e0b4e38e4e7b904c2e16d798c0c4d413

def _counts(view: MachineView) -> dict[str, int]:
    """How many objects are in each state, by its id, outer states included."""
    counts: Counter[str] = Counter()
    for one in view.states:
        counts.update(dict.fromkeys(one.active, one.count))
    return counts
