"""All that can be read of one database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from afterwork.insight import check as checks
from afterwork.insight import history, once, timers
from afterwork.insight import model as model_views
from afterwork.insight import status as statuses
from afterwork.insight.cache_views import CacheInsight
from afterwork.insight.check import DEFAULT_LIMITS, CheckContext, CheckLimits, Finding
from afterwork.insight.gauges import Gauges, gauges
from afterwork.insight.history import Latency, RunHistory, RunMinute, RunTotal
from afterwork.insight.machine_views import MachineInsight
from afterwork.insight.model import ModelView
from afterwork.insight.once import OnceView
from afterwork.insight.overview import HOUR, Overview, attention, last_hour
from afterwork.insight.status import Status
from afterwork.insight.ticket_views import TicketInsight
from afterwork.insight.timers import TimerDetail, TimerView
from afterwork.store.history import RunOutcome, RunRecord, records
from afterwork.store.tickets.walk import TicketWalk


class Insight(TicketInsight, CacheInsight, MachineInsight):
    """Reads one database. Changes nothing. What needs Afterwork's own tables raises `NotInstalled` or `WrongSchema`
    where they are not as they must be."""

    @property
    def model(self) -> ModelView:
        """What the model declares. No database is asked."""
        return model_views.view(self._model)

    def status(self) -> Status:
        """Counts of what waits and runs, and who is there to run it."""
        with self._reading() as connection:
            return self._status(connection, self._clock.now())

    def _status(self, connection: Connection, now: datetime) -> Status:
        return statuses.status(self._database, connection, TicketWalk(self._tickets, now), now)

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

    def throughput(self, since: datetime, work: str | None = None) -> Sequence[RunMinute]:
        """What ended in each minute since a moment, oldest first, by work and kind of trigger; of one work or of all.
        Servers write it every few seconds."""
        return self.past(since, work).minutes

    def latency(self, since: datetime, work: str | None = None) -> Latency:
        """How long it took from due to done since a moment, of one work or of all."""
        return self.past(since, work).latency

    def past(self, since: datetime, work: str | None = None) -> RunHistory:
        """Both of these, in one look."""
        with self._reading() as connection:
            return history.past(connection, since, work)

    def totals(self) -> Sequence[RunTotal]:
        """What the runs of each work have come to since the beginning. These never go down."""
        with self._reading() as connection:
            return history.totals(connection)

    def gauges(self) -> Gauges:
        """How it is just now, in numbers that cost the same however much has ended: for monitoring."""
        with self._reading() as connection:
            return gauges(self._database, self._model, connection, self._clock.now())

    def failures(self, since: datetime, limit: int = 20, work: str | None = None) -> Sequence[RunRecord]:
        """The newest runs that failed since a moment, of one work or of all."""
        wanted = {"outcome": "failed"} | ({} if work is None else {"work": work})
        with self._reading() as connection:
            return records(connection, wanted, since, None, limit)

    def runs(
        self,
        *,
        work: str | None = None,
        ticket: str | None = None,
        root: str | None = None,
        outcome: RunOutcome | None = None,
        limit: int = 20,
        before: int | None = None,
    ) -> Sequence[RunRecord]:
        """The newest runs that failed, were put off, or were slow. `before` is the `id` of the last one of the page
        before; `ticket` is the key of a ticket or hit, `root` an external id."""
        asked = {"work": work, "ticket": ticket, "root_id": root, "outcome": outcome}
        wanted = {name: value for name, value in asked.items() if value is not None}
        with self._reading() as connection:
            return records(connection, wanted, None, before, limit)

    def overview(self) -> Overview:
        """Whether all is well, at one glance."""
        now = self._clock.now()
        with self._reading() as connection:
            status, past = self._status(connection, now), history.past(connection, now - HOUR, None)
            shown = timers.views(connection, self._model), once.views(connection, self._model)
        needs = tuple(attention(status, past.minutes, *shown, now))
        failed = sum(one.failed for one in past.minutes)
        return Overview(status, past.latency, failed, last_hour(past.minutes, now), needs)

    def check(self, limits: CheckLimits = DEFAULT_LIMITS) -> Sequence[Finding]:
        """Whether this installation is right, and what to do where it is not. `limits` say from where on something is
        told."""
        with self._database.engine.connect() as connection:
            return list(
                checks.findings(CheckContext(self._database, self._model, connection, self._clock.now(), limits))
            )
