"""Executing claims in a session, and settling their outcomes: the common part of both ways to run."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from afterwork.boundary import CONTAINED
from afterwork.clock import Clock, telling_time
from afterwork.errors import Refused, TimedOut, WaitsForItself
from afterwork.events import Abandoned, BackOffFailed, Broken, Events, InTheWay, Point, Reached, Unwritable
from afterwork.jobs.deferred import DeferredTickets
from afterwork.jobs.history import RunHistory
from afterwork.jobs.perform import RunContext, check, is_gone, perform, tell
from afterwork.jobs.progress import Reporter, reporting
from afterwork.jobs.quarantine import Quarantine
from afterwork.jobs.run import Hindered, Outcome, Raised, Rejected, Run, Succeeded, event_of, text_of, trace_of
from afterwork.jobs.session import RunSession, ended
from afterwork.jobs.source import Claim, Due, JobSource, Source, due_of
from afterwork.jobs.timeouts import TimedRun, Timeouts
from afterwork.model.key import key_text
from afterwork.model.retry import Retry, doubling
from afterwork.model.timeout import NO_TIMEOUT
from afterwork.model.work import ViewModelWork, Work
from afterwork.settings import Settings
from afterwork.store import lane_rate
from afterwork.store.database import Database
from afterwork.store.lane_limits import LaneLimits
from afterwork.store.leases import Lease
from afterwork.store.once import KEY as ONCE_KEY
from afterwork.store.routing import ALL, Routing
from afterwork.store.suspects import ROUND
from afterwork.store.tickets.end_forms import expiry_error

Settled = list[tuple[Claim, Outcome]]

SomeSource = TypeVar("SomeSource")

GiveUp = Callable[[Connection, Claim, Raised, TimedOut], Settled]
"""Settles an abandoned run on a fresh connection, since its own is cut."""

Around = Callable[[Run], AbstractContextManager[object]]
"""Returns a context manager that is entered around the code of a run."""


def nothing_around(run: Run) -> AbstractContextManager[object]:
    return nullcontext()


PAUSE_WHEN_CONTENDED = timedelta(seconds=5)
"""The pause of a ticket whose rows somebody else has changed again and again."""

TRIES_WHEN_CHANGED = 3
"""Attempts of a run whose rows have other versions when it writes than when it read. They are limited, since the run
itself may have changed them."""


@dataclass(frozen=True)
class Runner:
    """Runs the claims of a job source in one database. `sources` are all other sources, in order of precedence."""

    database: Database
    job_source: JobSource
    clock: Clock
    events: Events
    settings: Settings
    history: RunHistory
    quarantine: Quarantine
    sources: Sequence[Source] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    """The variables of the server, which each view model is given."""
    around: Around = nothing_around
    routing: Routing = ALL
    """The work that this server takes."""
    limits: LaneLimits = field(default_factory=LaneLimits)
    """Its knowledge of lanes with limits and rates."""
    says: Mapping[str, str] = field(default_factory=dict)
    """Columns of this server's row: what it knows and serves."""
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(Settings().abandon_after))
    deferred: DeferredTickets = field(default_factory=DeferredTickets)

    def due(self, connection: Connection) -> Due:
        now = self.clock.now()
        due = due_of(self.sources, connection, now, is_busy=lambda own: False)
        return due if due.is_exclusive else due.beside(self.due_in_lanes(connection, now))

    def due_in_lanes(self, connection: Connection, now: datetime) -> Due:
        """Return the lanes that have jobs due now, without those whose rate is used up."""
        return self._within_rate(connection, self.job_source.due(connection, now), now)

    def source(self, kind: type[SomeSource]) -> SomeSource | None:
        """Return the source of a class; None if the model needs none."""
        return next((source for source in self.sources if isinstance(source, kind)), None)

    def takes(self, connection: Connection, lease: Lease) -> bool:
        """Return whether this server takes over a lease that nobody works on, rather than leave it to others."""
        if lease.ticket.startswith((ROUND, ONCE_KEY)):
            return True  # a mere trace, which any server may clear away
        return not self.job_source.is_for_others(connection, lease.ticket, lease.lane)

    def _within_rate(self, connection: Connection, due: Due, now: datetime) -> Due:
        """Return what is due, postponing lanes whose rate is used up until it no longer is."""
        waiting = {
            lane: free_from
            for lane in due.workloads
            if isinstance(lane, str)
            and self.limits.rate(lane) is not None
            and (free_from := lane_rate.free_from(connection, lane, now)) is not None
        }
        if not waiting:
            return due
        lanes = {lane: priorities for lane, priorities in due.workloads.items() if lane not in waiting}
        return Due(lanes, min(filter(None, (due.next_due, *waiting.values()))))

    def execute(self, session: RunSession, claims: Sequence[Claim], give_up: GiveUp) -> Settled:
        """Perform claims one after the other. The first exception passes through; nothing may be saved then.
        `give_up` settles a claim that had to be abandoned."""
        execute = self.prepared(session, claims, give_up)
        return [execute(claim) for claim in claims]

    def prepared(
        self, session: RunSession, claims: Sequence[Claim], give_up: GiveUp
    ) -> Callable[[Claim], tuple[Claim, Outcome]]:
        """Load what claims need. Return the function that performs one of them."""
        roots = self.job_source.roots(session, claims)
        variables = self.job_source.variables(session.outer, claims)

        def execute(claim: Claim) -> tuple[Claim, Outcome]:
            session.begin_next()
            context = self._given(session, variables.get(claim.key, {}))
            root = roots[claim.key]
            if isinstance(root, str) and claim is not claims[0]:
                root = self.job_source.roots(session, [claim])[claim.key]  # an earlier run may have created it
            return claim, self._execute_one(claim, root, context, give_up)

        return execute

    def expired(self, claim: Claim) -> Rejected | None:
        """Return the outcome of a claim if it is too late to begin it by now, else None."""
        error = None if claim.not_after is None else expiry_error(claim.not_after, self.clock.now())
        return None if error is None else Rejected(error)

    def _given(self, session: RunSession, variables: Mapping[str, Any]) -> RunContext:
        return RunContext(session, {**self.variables, **variables})

    def _execute_one(self, claim: Claim, root: Any, context: RunContext, give_up: GiveUp) -> Outcome:
        if isinstance(claim.work, str):
            return Rejected(claim.work)
        if isinstance(root, str):
            return Rejected(root)
        if root is not None and is_gone(root):
            return Rejected(f"The root {claim.run.root_id} is not there (any more).")
        reporter = Reporter(self.database, self.clock, key_text(claim.key), not claim.external)
        limited = partial(self._limit, claim.work, claim, context.session, reporter, give_up)
        try:
            with limited():
                check(claim.work, root)
        except Refused as refusal:
            return Rejected(str(refusal))
        began = time.perf_counter()
        with self.around(claim.run), telling_time(self.clock), reporting(reporter), limited():
            try:
                perform(claim.work, root, claim.run, context)
            except DBAPIError as error:
                if self.database.waits_for_itself(context.session.connection(), error):
                    raise WaitsForItself() from error
                raise
        return Succeeded(time.perf_counter() - began)

    def _limit(
        self, work: Work, claim: Claim, session: Session, reporter: Reporter, give_up: GiveUp
    ) -> AbstractContextManager[object]:
        """Return the context manager that ends the code of a run that takes too long."""
        timeout = self.settings.timeout if work.timeout is None else work.timeout
        if timeout in (None, NO_TIMEOUT):
            return nullcontext()
        assert timeout is not None
        began, connection = time.perf_counter(), session.get_bind()
        assert isinstance(connection, Connection)
        driver: Any = connection.connection.dbapi_connection
        watched = TimedRun(timeout, give_up=lambda: self._give_up(claim, driver, TimedOut(timeout), began, give_up))
        if not claim.external:
            watched.interrupt = partial(self.database.interrupt, driver)
            watched.absorb = partial(self.database.absorb, driver)
        if self.database.shares_one_connection:
            watched.give_up = None
        reporter.watched = watched
        return self.timeouts.over(watched)

    def _give_up(self, claim: Claim, driver: Any, error: TimedOut, began: float, settle: GiveUp) -> None:
        """Abandon a run, and settle its claim, with retries. Report the last error if none succeeds."""
        self.database.cut(driver)
        raised = self.raised(claim, error, began)
        self.events.emit(Abandoned(claim.run.work, claim.run.root_id, str(claim.run.id)))
        for pause in (0.1, 0.5, 1.0, 5.0, 5.0, None):
            try:
                with CONTAINED, closing(self.database.connect()) as connection:
                    settle(connection, claim, raised, error)
            except Exception as failure:
                if pause is None:
                    self.events.emit(Broken("giving up a run", failure))
                else:
                    time.sleep(pause)
            else:
                return

    def raised(self, claim: Claim, error: Exception, began: float) -> Raised:
        """Return the outcome of a claim whose code raised: another attempt, or the end. `began` is a reading of
        `time.perf_counter`."""
        return Raised(text_of(error), self._again_after(claim, error), time.perf_counter() - began, trace_of(error))

    def _again_after(self, claim: Claim, error: Exception) -> timedelta | None:
        """Return the pause before the next attempt; None if this was the last. Rows that somebody else has changed
        meanwhile are worth some attempts even without a policy."""
        if isinstance(claim.work, str) or not self.job_source.counts_attempts(claim):
            return None
        policy = claim.work.retry
        pause = None if policy is None else self._pause_of(policy, claim.run, error)
        if pause is None and isinstance(error, StaleDataError) and claim.run.attempt < TRIES_WHEN_CHANGED:
            pause = PAUSE_WHEN_CONTENDED
        in_time = pause is None or claim.not_after is None or self.clock.now() + pause <= claim.not_after
        return pause if in_time else None

    def _pause_of(self, policy: Retry, run: Run, error: Exception) -> timedelta | None:
        try:
            with CONTAINED:
                return policy.again_after(run.attempt, error)
        except Exception as wrong:
            pause = doubling(run.attempt)
            self.events.emit(BackOffFailed(run.work, text_of(wrong), pause.total_seconds()))
            return pause

    def hindered(self, claim: Claim, error: Exception) -> Hindered:
        """Return the outcome if others were in the way. Its pause grows each time, and is zero after a migration."""
        pause = timedelta(0) if self.database.is_outdated(error) else self.deferred.pause(claim.key)
        return Hindered(text_of(error), pause)

    def leave(self, claim: Claim, why: Exception) -> Settled:
        """Skip a claim, for longer each time, since its row can't be written. Nothing of its run was saved."""
        run, pause = claim.run, self.deferred.pause(claim.key)
        self.job_source.leave(claim, self.clock.now() + pause)
        if self.database.is_contended(why):
            self.events.emit(InTheWay(text_of(why)))
        elif self.deferred.is_news(claim.key):
            self.events.emit(Unwritable(run.work, run.root_id, str(run.id), text_of(why)))
        return [(claim, Hindered(text_of(why), pause))]

    def tells(self, claim: Claim) -> bool:
        """Return whether the view model of a claim has an `on_exception`."""
        work = claim.work
        return isinstance(work, ViewModelWork) and work.view_model.exception_handler is not None

    def tell(self, connection: Connection, claim: Claim, outcome: Outcome, error: Exception | None) -> None:
        """Run the view model's `on_exception` and write its changes, in the open transaction, if its code raised."""
        if isinstance(claim.work, str) or error is None or not isinstance(outcome, Raised):
            return
        with ended(RunSession(connection)) as session:
            root = self.job_source.roots(session, [claim])[claim.key]
            if not isinstance(root, str):
                variables = self.job_source.variables(connection, [claim]).get(claim.key, {})
                with telling_time(self.clock):
                    tell(claim.work, root, claim.run, self._given(session, variables), (error, outcome.text))
                session.flush()

    def settle(self, connection: Connection, settled: Settled, left: Sequence[Claim] = ()) -> None:
        """Write the outcomes of runs, in the transaction of their effects. `left` were claimed with them but not begun.
        Raises `TransactionIsTheRuns` if the transaction is over."""
        self.database.check_in_transaction(connection)
        now = self.clock.now()
        self.job_source.settle(connection, settled, now)
        if left:
            self.job_source.check(connection, left, now)

    def reached(self, point: Point, claims: Sequence[Claim]) -> None:
        self.events.emit(Reached(point, claims[0].run.work if claims else ""))

    def report(self, settled: Settled) -> None:
        """Report the outcomes of runs, once they are committed."""
        if self.deferred:
            for claim, outcome in settled:
                if not isinstance(outcome, Hindered):
                    self.deferred.forget(claim.key)
        self.reached("after commit", [claim for claim, _ in settled])
        self.report_runs([(claim.run, outcome) for claim, outcome in settled])

    def report_runs(self, ran: Sequence[tuple[Run, Outcome]]) -> None:
        """Report the outcomes of runs that have just ended."""
        now = self.clock.now()
        for run, outcome in ran:
            self.events.emit(event_of(run, outcome, now))
