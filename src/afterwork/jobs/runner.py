"""A server's runs: the parts that they share, and the reporting and settling of their outcomes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import Connection

from afterwork.clock import Clock, telling_time
from afterwork.errors import ChosenOutcome, DatabaseTimedOut, EndTimedOut, TimedOut
from afterwork.events import Events, InTheWay, Point, Reached, Unwritable
from afterwork.jobs.attempts import Attempts, GiveUp, Settled
from afterwork.jobs.blocked import BlockedLooks
from afterwork.jobs.claims_apart import ClaimsApart
from afterwork.jobs.deferred import DeferredTickets
from afterwork.jobs.history import RunHistory
from afterwork.jobs.perform import RunContext, arguments_of, tell
from afterwork.jobs.quarantine import Quarantine
from afterwork.jobs.run import Hindered, Outcome, Raised, Rejected, Run, SucceededTogether, event_of, text_of
from afterwork.jobs.session import RunSession, ended
from afterwork.jobs.source import Claim, Due, JobSource, Source, due_of
from afterwork.jobs.taken_together import TakenTogether
from afterwork.jobs.time_limits import TimeLimits, leave_it
from afterwork.model.work import ViewModelWork
from afterwork.settings import Settings
from afterwork.store import lane_rate
from afterwork.store.database import Database
from afterwork.store.lane_limits import LaneLimits
from afterwork.store.leases import Lease
from afterwork.store.once import KEY as ONCE_KEY
from afterwork.store.routing import ALL, Routing
from afterwork.store.suspects import ROUND
from afterwork.store.tickets.end_forms import expiry_error

SomeSource = TypeVar("SomeSource")

Around = Callable[[Run], AbstractContextManager[object]]
"""Returns a context manager that is entered around the code of a run."""


HANG_FACTOR = 10
"""A ticket is skipped for this many times as long as a trigger hung in writing it."""


def nothing_around(run: Run) -> AbstractContextManager[object]:
    return nullcontext()


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
    time_limits: TimeLimits
    blocked: BlockedLooks
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
    deferred: DeferredTickets = field(default_factory=DeferredTickets)
    together: TakenTogether = field(default_factory=TakenTogether)
    apart: ClaimsApart = field(default_factory=ClaimsApart)

    @cached_property
    def attempts(self) -> Attempts:
        return Attempts(self.job_source, self.time_limits, self.clock, self.events)

    def due(self, connection: Connection) -> Due:
        now = self.clock.now()
        due = due_of(self.sources, lambda source: source.due(connection, now), is_busy=lambda own: False)
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

    def timeout_of_hooks(self, claims: Sequence[Claim]) -> timedelta | None:
        """Return the longest time-out of the works of claims; None if one of them never times out. It holds for what
        loading, saving and committing call."""
        declared = {None if isinstance(claim.work, str) else claim.work.timeout for claim in claims}
        timeouts = [self.time_limits.of_calculation(timeout) for timeout in declared]
        return None if None in timeouts else max(filter(None, timeouts), default=self.settings.inside_limit)

    def transaction(
        self, connection: Connection, claims: Callable[[], Sequence[Claim]], first: Sequence[str] = ()
    ) -> AbstractContextManager[None]:
        """Return a transaction whose commit may take as long as hooks of the claims that it has by then."""
        return self.database.transaction(connection, first, lambda: self.timeout_of_hooks(claims()))

    def expired(self, claim: Claim) -> Rejected | None:
        """Return the outcome of a claim if it is too late to begin it by now, else None."""
        error = None if claim.not_after is None else expiry_error(claim.not_after, self.clock.now())
        return None if error is None else Rejected(error)

    def context(self, session: RunSession, variables: Mapping[str, Any], arguments: Mapping[str, Any]) -> RunContext:
        """Return what a run is given besides its root. `variables` are its own, beside those of the server."""
        return RunContext(session, {**self.variables, **variables}, arguments)

    def hindered(self, claim: Claim, error: Exception) -> Hindered:
        """Return the outcome if others were in the way. Its pause grows each time, and is zero after a migration."""
        pause = timedelta(0) if self.database.is_outdated(error) else self.deferred.pause(claim.key)
        return Hindered(text_of(error), pause)

    def leave(self, claim: Claim, why: Exception) -> Settled:
        """Skip a claim, for longer each time, since its row can't be written. Nothing of its run was saved."""
        run, pause = claim.run, self.deferred.pause(claim.key)
        if isinstance(why, DatabaseTimedOut) and why.timeout is not None:
            pause = max(pause, HANG_FACTOR * why.timeout)
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

    def tell(
        self, connection: Connection, claim: Claim, outcome: Outcome, error: Exception | None, give_up: GiveUp
    ) -> None:
        """Run the view model's `on_exception` and write its changes, in the open transaction, if its code raised.
        `give_up` settles the claim if that hangs."""
        if isinstance(error, ChosenOutcome | None) or not (isinstance(outcome, Raised) and self.tells(claim)):
            return
        if isinstance(claim.work, str):
            return

        def settle(connection: Connection, hung: TimedOut) -> None:
            give_up(connection, claim).end(outcome.with_second(hung))

        limits = self.time_limits
        limit = limits.over(connection, claim.run, limits.of_hook(claim.work.timeout), settle)
        with ended(RunSession(connection)) as session, telling_time(self.clock), limit:
            root = self.job_source.roots(session, [claim])[claim.key]
            if not isinstance(root, str):
                variables = self.job_source.variables(connection, [claim]).get(claim.key, {})
                objects = self.job_source.objects(session, [claim])
                arguments = arguments_of(claim.work, root, claim.row.arguments, objects)
                tell(claim.work, root, claim.run, self.context(session, variables, arguments), (error, outcome.error))
                session.flush()

    def settle(self, connection: Connection, settled: Settled, left: Sequence[Claim] = ()) -> None:
        """Write the outcomes of runs, in the transaction of their effects. `left` were claimed with them but not begun.
        Raises `TransactionIsTheRuns` if the transaction is over."""
        self.database.check_in_transaction(connection)
        now = self.clock.now()
        with self._ending_in_time(connection, [claim for claim, _ in settled]):
            self.job_source.settle(connection, settled, now)
        if left:
            self.job_source.check(connection, left, now)

    @contextmanager
    def _ending_in_time(self, connection: Connection, claims: Sequence[Claim]) -> Iterator[None]:
        """Give triggers of the application on the ticket's table as long as hooks of the claims."""
        timeout = self.timeout_of_hooks(claims)
        if not claims or timeout is None:
            yield
            return
        try:
            with self.time_limits.over(connection, claims[0].run, timeout, leave_it):
                yield
        except TimedOut:
            raise EndTimedOut(timeout) from None

    def reached(self, point: Point, claims: Sequence[Claim]) -> None:
        self.events.emit(Reached(point, claims[0].run.work if claims else ""))

    def report(self, settled: Settled) -> None:
        """Report the outcomes of runs, once they are committed."""
        if self.deferred or self.together or self.apart:
            for claim, outcome in settled:
                if not isinstance(outcome, Hindered):
                    self.deferred.forget(claim.key)
                    self.together.forget(claim.key)
                    self.apart.forget(claim.key)
        self.reached("after commit", [claim for claim, _ in settled])
        self.report_runs([(claim.run, outcome) for claim, outcome in settled])

    def report_runs(self, ran: Sequence[tuple[Run, Outcome | SucceededTogether]]) -> None:
        """Report the outcomes of runs that have just ended."""
        now = self.clock.now()
        self.events.emit(*(event_of(run, outcome, now) for run, outcome in ran))
