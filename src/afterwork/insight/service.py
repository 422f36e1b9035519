"""Reads one database: everything that the command line, the pages and the API show."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from afterwork.insight import caches, history, once, timers
from afterwork.insight import check as checks
from afterwork.insight import model as model_views
from afterwork.insight import status as statuses
from afterwork.insight import tally as tallies
from afterwork.insight.attention import MAX_NAMED, Scene, attention, works_with_most
from afterwork.insight.cache_views import CacheInsight
from afterwork.insight.check import DEFAULT_LIMITS, CheckContext, CheckLimits, Finding
from afterwork.insight.failures import FailureGroup, FailureReader, Hindrance
from afterwork.insight.gauges import Gauges, gauges, waiting_journal
from afterwork.insight.history import PastRuns, RunTotal
from afterwork.insight.machine_views import MachineInsight
from afterwork.insight.model import ModelView
from afterwork.insight.once import OnceView
from afterwork.insight.overview import HOUR, Overview, last_hour
from afterwork.insight.status import Status
from afterwork.insight.tally import Tally
from afterwork.insight.ticket import WaitReasons
from afterwork.insight.ticket_views import TicketInsight
from afterwork.insight.timers import TimerDetail, TimerView
from afterwork.insight.transactions import blockers, longest_transaction
from afterwork.insight.verdict import verdict
from afterwork.insight.work_views import WorkInsight
from afterwork.store.bounded_count import NONE
from afterwork.store.history import RecordedOutcome, RunRecord, records
from afterwork.store.tickets.filter import TicketFilter
from afterwork.store.tickets.walk import TicketWalk


class Insight(TicketInsight, CacheInsight, MachineInsight, WorkInsight):
    """Reads one database, and changes nothing.

    Methods that need Afterwork's own tables raise `NotInstalled` or `WrongSchema` if those are missing or of another
    version.
    """

    @property
    def model(self) -> ModelView:
        """Return what the model declares. Needs no database."""
        return model_views.view(self._model)

    def status(self) -> Status:
        """Return counts of waiting and running work, and the servers that can run it."""
        with self._reading() as connection:
            return self._status(connection, self._clock.now())

    def _status(self, connection: Connection, now: datetime) -> Status:
        return statuses.status(self._database, connection, TicketWalk(self._tickets, now), now)

    def tally(self) -> Tally:
        """Return what fails, waits and runs, each counted up to some thousands."""
        now = self._clock.now()
        with self._reading() as connection:
            return tallies.tally(connection, TicketWalk(self._tickets, now), now)

    def timers(self) -> Sequence[TimerView]:
        """Return all timers by name: those of the model, and others that the database still knows."""
        with self._reading() as connection:
            return timers.views(connection, self._model)

    def timer(self, name: str) -> TimerDetail:
        """Return one timer with its next due times, and its runs of the last day.

        Raises `NotThere` if neither the model nor the database knows it.
        """
        with self._reading() as connection:
            return timers.detail(connection, self._model, name, self._clock.now())

    def once(self) -> Sequence[OnceView]:
        """Return the actions that run once per database: the model's, in order, then others that have run here."""
        with self._reading() as connection:
            return once.views(connection, self._model)

    def past(self, since: datetime, work: str | None = None) -> PastRuns:
        """Return the runs that ended in each minute since a time, and their latency. With `work`, only its runs.

        Servers write these sums every few seconds.
        """
        with self._reading() as connection:
            return history.past(connection, since, work)

    def totals(self) -> Sequence[RunTotal]:
        """Return the sums of all runs ever of each work. They never decrease."""
        with self._reading() as connection:
            return history.totals(connection)

    def gauges(self) -> Gauges:
        """Return the current gauges for monitoring, at a cost that does not grow with the number of ended runs."""
        with self._reading() as connection:
            return gauges(self._database, self._model, connection, self._clock.now())

    def failures(self, since: datetime, limit: int = 20, work: str | None = None) -> Sequence[RunRecord]:
        """Return the newest runs that failed since a time, at most `limit`, of one work or of all."""
        wanted = {"outcome": "failed"} | ({} if work is None else {"work": work})
        with self._reading() as connection:
            return records(connection, wanted, since, None, limit)

    def runs(
        self,
        *,
        work: str | None = None,
        ticket: str | None = None,
        root: str | None = None,
        outcome: RecordedOutcome | None = None,
        limit: int = 20,
        before: int | None = None,
    ) -> Sequence[RunRecord]:
        """Return the newest runs that failed, were put off, or were slow.

        `outcome` chooses one of these. `before` is the `id` of the last run of the previous page, `limit` the length of
        a page, `ticket` the key of a ticket or match, `root` an external id.
        """
        asked = {"work": work, "ticket": ticket, "root_id": root, "outcome": outcome}
        wanted = {name: value for name, value in asked.items() if value is not None}
        with self._reading() as connection:
            return records(connection, wanted, None, before, limit)

    def failure_groups(self, work: str | None = None, outcome: Hindrance = "failed") -> Sequence[FailureGroup]:
        """Return recorded failures of all kinds, those of one work with the same trace in one group, newest first.

        Of each work, a bounded number of the newest is read, more if it is the only one. With `put off`, returns the
        runs that are tried again.
        """
        with self._reading() as connection:
            return self._failures.groups(connection, work, outcome)

    def failure_group(self, work: str, group: str, outcome: Hindrance = "failed") -> FailureGroup:
        """Return one group of failures. Raises `BadRequest` if there is none of this id."""
        with self._reading() as connection:
            return self._failures.group(connection, work, group, outcome)

    @property
    def _failures(self) -> FailureReader:
        return FailureReader(TicketWalk(self._tickets, self._clock.now()))

    def overview(self, findings: Sequence[Finding] | None = None) -> Overview:
        """Return an overview: the verdict, what needs attention, a few numbers, and the last hour.

        `findings` are those of a recent check; without them, it checks now.
        """
        now = self._clock.now()
        if findings is None:
            findings = self.check()
        with self._reading() as connection:
            status, past = self._status(connection, now), history.past(connection, now - HOUR, None)
            activity = self._waiting(connection)
            needs = attention(self._scene(connection, now, status, past, activity, findings))
        due = sum((lane.waiting for lane in activity.lanes), NONE)
        failed = sum(minute.failed for minute in past.minutes)
        judged = verdict(needs, due, status.oldest)
        return Overview(status, past.latency, failed, last_hour(past.minutes, now), needs, judged)

    def _scene(
        self,
        connection: Connection,
        now: datetime,
        status: Status,
        past: PastRuns,
        activity: WaitReasons,
        findings: Sequence[Finding],
    ) -> Scene:
        failed, put_off = (works_with_most(past.minutes, outcome)[:MAX_NAMED] for outcome in ("failed", "put_off"))
        changes, changes_for = waiting_journal(connection, now) if self._model.derivations else (0, 0.0)
        return Scene(
            now=now,
            servers=activity.servers,
            stuck=status.stuck,
            lanes=activity.lanes,
            running=activity.running,
            held_limit=self._database.settings.held_limit,
            timers=timers.views(connection, self._model),
            once=once.views(connection, self._model),
            minutes=past.minutes,
            failures=self._failures.of_works(connection, failed, "failed"),
            hindrances=self._failures.of_works(connection, put_off, "put off"),
            failed_values=caches.failed_values(connection),
            failed_tickets=TicketWalk(self._tickets, now).count(connection, TicketFilter("failed")),
            stale=status.stale,
            stale_for=status.stale_for,
            changes=changes,
            changes_for=timedelta(seconds=changes_for),
            longest=longest_transaction(connection),
            blockers=blockers(connection),
            findings=findings,
        )

    def check(self, limits: CheckLimits = DEFAULT_LIMITS) -> Sequence[Finding]:
        """Check this installation. Each finding that is not right says what to do.

        `limits` are the thresholds from which on a finding is reported.
        """
        with self._database.reading() as connection:
            return list(
                checks.findings(CheckContext(self._database, self._model, connection, self._clock.now(), limits))
            )

    def to_install(self, connection: Connection) -> Sequence[Finding]:
        """Return what `app.install` would mend, as the transaction of a connection sees the database."""
        context = CheckContext(self._database, self._model, connection, self._clock.now(), DEFAULT_LIMITS)
        return checks.to_install(context)
