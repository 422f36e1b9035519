"""All that can be read of one database."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.errors import NotThere, shown
from afterwork.insight import history, machines, once, servers, timers
from afterwork.insight import status as statuses
from afterwork.insight import tickets as ticket_views
from afterwork.insight.check import Check, Finding
from afterwork.insight.diagram import svg
from afterwork.insight.gauges import Gauges, gauges
from afterwork.insight.history import Latency, Minute, Total
from afterwork.insight.lanes import AtWork, Lanes, LaneView
from afterwork.insight.machines import MachineView, machines_in
from afterwork.insight.once import OnceView
from afterwork.insight.overview import HOUR, Overview, attention, last_hour
from afterwork.insight.running import running
from afterwork.insight.status import Status
from afterwork.insight.ticket import Looking, TicketDetail
from afterwork.insight.tickets import TicketPage
from afterwork.insight.timers import TimerDetail, TimerView
from afterwork.insight.waiting import Waiting
from afterwork.manifest.explain import CacheSummary, Explainer
from afterwork.model.reading import ReadModel
from afterwork.store import schema, tables
from afterwork.store.database import Database
from afterwork.store.history import RunOutcome, RunRecord, records
from afterwork.store.hits import HITS
from afterwork.store.ticket_filter import ALL, State, TicketFilter
from afterwork.store.ticket_walk import Count, KeyWalk, Walk
from afterwork.store.tickets import Tickets
from afterwork.triggers.assemble import matcher_of


class Insight:
    """Reads one database. Changes nothing. What needs Afterwork's own tables raises `NotInstalled` or `WrongSchema`
    where they are not as they must be."""

    def __init__(self, database: Database, model: ReadModel, clock: Clock) -> None:
        self._database = database
        self._model = model
        self._clock = clock

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            yield connection

    def status(self) -> Status:
        """Counts of what waits and runs, and who is there to run it."""
        with self._reading() as connection:
            contract, now = self._model.contract, self._clock.now()
            return statuses.status(self._database, connection, contract, self._tickets.columns, now)

    def tickets(self, wanted: TicketFilter = ALL, most: int = 20, after: str | None = None) -> TicketPage:
        """Tickets that meet a filter, `most` at most: pending ones in the order in which they run, others newest first.
        With `after`, those that come behind the ticket with this key. Can be had without Afterwork's tables, too.

        Raises `BadRequest` if `after` is the key of no ticket.
        """
        with self._database.engine.connect() as connection:
            return ticket_views.page(connection, self._walk(connection), wanted, after, most)

    def ticket_counts(self, wanted: TicketFilter = ALL) -> dict[State, Count]:
        """How many tickets in each state meet a filter, whatever its own state is. Counts 10,000 at most."""
        with self._reading() as connection:
            return ticket_views.counts(connection, self._walk(connection), wanted)

    def ticket(self, key: str) -> TicketDetail:
        """One ticket: what it asks for, what has become of it so far, and why it waits.

        Raises `NotThere` if there is none of this key.
        """
        with self._reading() as connection:
            waiting = self._waiting(connection)
            return Looking(self._model, waiting).detail(connection, key)

    def at_work(self) -> AtWork:
        """Lanes, servers, and what runs outside of transactions."""
        with self._reading() as connection:
            found = self._waiting(connection)
            return AtWork(found.lanes, found.servers, found.running)

    def lane(self, name: str) -> LaneView:
        """One lane. Raises `NotThere` if nothing is in it, and neither the model nor anybody else has named it."""
        lanes = {one.name: one for one in self.at_work().lanes}
        if name not in lanes:
            raise NotThere(f"There is no lane {shown(name)}. There are: {', '.join(lanes)}.")
        return lanes[name]

    def _waiting(self, connection: Connection) -> Waiting:
        now, database = self._clock.now(), self._database
        found, walk = running(connection, self._model.contract), Walk(self._tickets, now)
        lanes = Lanes(database, self._model, walk, Walk(self._hits, now)).views(connection, found)
        return Waiting(walk, lanes, servers.views(database, connection, found, now), found)

    @cached_property
    def _tickets(self) -> Tickets:
        return Tickets(self._model.contract, self._database.dialect)

    @cached_property
    def _hits(self) -> Tickets:
        return Tickets(HITS, self._database.dialect)

    def _walk(self, connection: Connection) -> Walk:
        is_installed = schema.version(connection) == tables.SCHEMA_VERSION
        return (Walk if is_installed else KeyWalk)(self._tickets, self._clock.now())

    def timers(self) -> Sequence[TimerView]:
        """All timers, those of the model and those that the database still knows, by name."""
        with self._reading() as connection:
            return timers.views(connection, self._model)

    def timer(self, name: str) -> TimerDetail:
        """One timer, with its next due times and what its runs came to in the last day.

        Raises `NotThere` if neither the model nor the database knows it.
        """
        with self._reading() as connection:
            return timers.detail(connection, self._model, name, self._clock.now())

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

    def gauges(self) -> Gauges:
        """How it is just now, in numbers that cost the same however much has ended: for monitoring."""
        with self._reading() as connection:
            return gauges(self._database, self._model, connection, self._clock.now())

    def failures(self, since: datetime, most: int = 20, work: str | None = None) -> Sequence[RunRecord]:
        """The newest runs that failed since a moment, of one work or of all."""
        wanted = {"outcome": "failed"} | ({} if work is None else {"work": work})
        with self._reading() as connection:
            return records(connection, wanted, since, None, most)

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


def _counts(view: MachineView) -> dict[str, int]:
    """How many objects are in each state, by its id, outer states included."""
    counts: Counter[str] = Counter()
    for one in view.states:
        counts.update(dict.fromkeys(one.active, one.count))
    return counts
