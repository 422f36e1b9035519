"""Runs inside one transaction, which holds the lane. Many small runs share one, for a slice of time.

When something goes wrong with a batch, all of it is rolled back and the next one is smaller, so that the culprit is
soon alone, and fails alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile
from time import perf_counter

from sqlalchemy import Connection
from sqlalchemy.orm.exc import StaleDataError

from afterwork.boundary import CONTAINED
from afterwork.errors import BatchDisturbed, Cancelled, DatabaseTimedOut, TicketIsHidden
from afterwork.events import InTheWay, ManyFailed
from afterwork.jobs.attempts import TRIES_WHEN_CHANGED, Settled
from afterwork.jobs.batch import Batched, CommittedBatch, Mixed, OpenBatch, TakenApart, Undone
from afterwork.jobs.call_for_many import CallForMany
from afterwork.jobs.execution import Execution
from afterwork.jobs.run import Outcome, Rejected, Run, text_of
from afterwork.jobs.runner import Runner
from afterwork.jobs.session import RunSession, ended
from afterwork.jobs.settling import Settlement
from afterwork.jobs.source import Claim, ClaimedWork
from afterwork.model.key import key_text
from afterwork.model.lane import PARALLEL
from afterwork.store import leases
from afterwork.store.database import NOT_LONG
from afterwork.store.progress import CANCELLED

BATCH_SECONDS = 0.1
"""After this time a batch begins no further ticket. Until it ends, others wait for its lane and the rows it wrote."""


def run_batch(runner: Runner, connection: Connection, lane: str, priority: int | None, most: int) -> Batched | Claim:
    """Run the first due tickets of a lane, at most `most`, in one transaction.

    Return their outcomes, or the first ticket, not begun, if it must run outside a transaction.
    """
    batch, began = OpenBatch(), perf_counter()
    claimed = ClaimedWork([])
    try:
        with CONTAINED, runner.transaction(connection, lambda: batch.claims, (NOT_LONG,)):
            claimed = _claim(runner, connection, lane, priority, most)
            if claimed.claims and claimed.claims[0].external:
                return claimed.claims[0]
            if claimed.claims and runner.quarantine.is_needed(lane):
                return TakenApart()  # something died while this waited for its turn
            inside = list(takewhile(lambda claim: not claim.external, claimed.claims))
            batch.claims = runner.apart.first(inside)
            _run(runner, connection, batch)
    except Exception as error:
        if not batch.claims or runner.database.has_lost(connection, error):
            raise
        if len(batch.claims) > 1:
            return _undone(runner, batch, error)
        settled = _Alone(runner, connection, batch.claims[0]).went_wrong(error, began)
        return CommittedBatch(settled, more=True, full=False)
    runner.report_runs(claimed.ended)
    if batch.settled:
        runner.report(batch.settled)
    more = len(batch.settled) < len(inside) or claimed.goes_on or len(claimed.claims) == most
    full = len(batch.settled) == len(batch.claims)
    return CommittedBatch(batch.settled, more and bool(batch.settled or claimed.goes_on), full)


def _claim(runner: Runner, connection: Connection, lane: str, priority: int | None, most: int) -> ClaimedWork:
    claimed = runner.job_source.claim(connection, lane, priority, runner.clock.now(), most)
    for claim in claimed.hidden:
        runner.leave(claim, TicketIsHidden())
    return claimed


def run_mixed(
    runner: Runner,
    connection: Connection,
    lanes: Mapping[str, int | None],
    limit: int,
    may_share: Callable[[Claim], bool],
) -> Mixed:
    """Run the first due tickets of several lanes, at most `limit` per lane, in one transaction.

    Tickets that may not share it, by `may_share`, and lanes that can't be locked are left out."""
    batch, obtained = OpenBatch(), _Obtained()
    try:
        with CONTAINED, runner.transaction(connection, lambda: batch.claims, (NOT_LONG,)):
            obtained = _obtain(runner, connection, lanes, limit, may_share)
            batch.claims = [claim for claims in obtained.claims.values() for claim in claims]
            _run(runner, connection, batch, _settle_mixed)
    except Exception as error:
        if not batch.claims or runner.database.has_lost(connection, error):
            raise
        return _mixed_undone(runner, obtained, batch, error)
    runner.report_runs(obtained.ended)
    if batch.settled:
        runner.report(batch.settled)
    ran, unfit = {claim.run.lane for claim, _ in batch.settled}, obtained.unfit
    left = {lane: None for lane, claims in obtained.claims.items() if lane in unfit or (claims and lane not in ran)}
    left |= dict.fromkeys(obtained.unasked)
    done = CommittedBatch(batch.settled, more=False, full=len(batch.settled) == len(batch.claims))
    return Mixed(done, obtained.claims.keys(), left, unfit)


@dataclass(frozen=True)
class _Obtained:
    """The result of claiming in several lanes for one transaction."""

    claims: dict[str, list[Claim]] = field(default_factory=dict)
    """The claims by lane."""
    unfit: dict[str, str] = field(default_factory=dict)
    """The works, by lane, of first tickets that may not share the transaction."""
    unasked: list[str] = field(default_factory=list)
    """The lanes for which no time was left."""
    ended: list[tuple[Run, Outcome]] = field(default_factory=list)
    """The runs that ended as they were claimed."""


def _obtain(
    runner: Runner,
    connection: Connection,
    lanes: Mapping[str, int | None],
    limit: int,
    may_share: Callable[[Claim], bool],
) -> _Obtained:
    obtained, until = _Obtained(), perf_counter() + BATCH_SECONDS
    for lane, priority in lanes.items():
        if obtained.claims and perf_counter() >= until:
            obtained.unasked.append(lane)
            continue
        claimed = _claim(runner, connection, lane, priority, limit)
        obtained.ended.extend(claimed.ended)
        if claimed.claims or claimed.goes_on:
            obtained.claims[lane] = list(takewhile(may_share, claimed.claims))
        if claimed.claims and not obtained.claims[lane]:
            obtained.unfit[lane] = claimed.claims[0].run.work
    return obtained


def _mixed_undone(runner: Runner, obtained: _Obtained, batch: OpenBatch, error: Exception) -> Mixed:
    """Return the lanes that may share next: a known culprit runs alone; otherwise half as many share."""
    undone, suspects = _undone(runner, batch, error), [claim.run for claim in batch.claims]
    left: dict[str, int | None]
    match undone:
        case TakenApart():
            left = dict.fromkeys(obtained.claims)
        case Undone(good=int(good)):
            suspects = [batch.claims[good].run]
            left = {**dict.fromkeys(obtained.claims), suspects[0].lane: 1}
        case Undone(is_disturbed=is_disturbed):
            most = 1 if is_disturbed else max(1, len(obtained.claims) // 2)
            left = dict.fromkeys(obtained.claims, most)
    left |= dict.fromkeys(obtained.unasked)
    hindered = {run.work for run in suspects} if runner.database.is_contended(error) else ()
    return Mixed(undone, obtained.claims.keys(), left, obtained.unfit, hindered)


def _settle_mixed(runner: Runner, connection: Connection, batch: OpenBatch) -> None:
    runner.database.check_in_transaction(connection)
    runner.job_source.check(connection, batch.claims, runner.clock.now())
    runner.settle(connection, batch.settled)


def _settle(runner: Runner, connection: Connection, batch: OpenBatch) -> None:
    runner.settle(connection, batch.settled, batch.claims[len(batch.settled) :])


def _run(
    runner: Runner,
    connection: Connection,
    batch: OpenBatch,
    settle: Callable[[Runner, Connection, OpenBatch], None] = _settle,
) -> None:
    if not batch.claims:
        return
    runner.reached("claimed", batch.claims)
    until = perf_counter() + BATCH_SECONDS
    with ended(RunSession(connection)) as session:
        execution = Execution.of(runner, session, batch.claims, partial(_abandoned, runner))
        while len(batch.settled) < len(batch.claims):
            batch.settled.extend(_next(execution, batch, until))
            if perf_counter() >= until:
                break
        batch.is_executed = True
        with execution.saving():
            session.flush()
        if len(batch.claims) > 1 and session.may_have_written_tickets:
            runner.job_source.check_unchanged(connection, batch.claims, runner.clock.now())
    runner.reached("ran", batch.claims)
    settle(runner, connection, batch)
    runner.reached("before commit", batch.claims)


def _next(execution: Execution, batch: OpenBatch, until: float) -> Settled:
    """Run the next ticket of a batch, or the next ones that are taken together."""
    start = len(batch.settled)
    claim = batch.claims[start]
    method = execution.method_for_many(claim)
    if method is not None and (call := CallForMany.beginning_at(execution, method, start, until)) is not None:
        batch.call = call
        return call.run()
    expired = execution.runner.expired(claim)  # those before it may have taken long
    return [(claim, execution.run(claim) if expired is None else expired)]


def _undone(runner: Runner, batch: OpenBatch, error: Exception) -> Undone | TakenApart:
    if isinstance(error, BatchDisturbed):
        return Undone(len(batch.settled), None, is_disturbed=True)
    if isinstance(error, DatabaseTimedOut):  # to look for the culprit by halves would take as long for each of them
        runner.apart.note(batch.claims)
    if batch.claims[0].key in runner.apart:
        return TakenApart()
    is_contended = runner.database.is_contended(error)
    if is_contended:
        runner.events.emit(InTheWay(text_of(error)))
    if batch.call is not None:
        if batch.has_failed_together and not is_contended:
            runner.events.emit(ManyFailed(batch.call.work, len(batch.call.claims), text_of(error)))
        return TakenApart()
    if batch.is_executed:
        return Undone(len(batch.settled), None)
    return Undone(len(batch.claims), len(batch.settled))


@dataclass(frozen=True)
class _Alone:
    """A ticket that is alone in its transactions, which may be the second or third in which it runs."""

    runner: Runner
    connection: Connection
    claim: Claim
    tries: int = 1

    def went_wrong(self, error: Exception, began: float) -> Settled:
        """Settle the ticket, which has raised, after the rollback."""
        runner, claim = self.runner, self.claim
        settlement = Settlement(runner, self.connection, claim, self._write, "run again")
        if isinstance(error, Cancelled):
            return settlement.end(Rejected(CANCELLED))
        if runner.database.is_contended(error):  # the rest of its lane continues
            return settlement.end(runner.hindered(claim, error))
        if isinstance(error, StaleDataError) and self.tries < TRIES_WHEN_CHANGED:
            runner.events.emit(InTheWay(text_of(error)))
            return replace(self, tries=self.tries + 1)._run_again()
        raised = runner.attempts.raised(self.connection, claim, error, began, self._abandoned)
        return settlement.fail(raised, error)

    def _run_again(self) -> Settled:
        """Run the ticket once more. Return [] if somebody else has claimed it meanwhile."""
        runner, connection = self.runner, self.connection
        batch, began = OpenBatch(), perf_counter()
        try:
            with CONTAINED, runner.transaction(connection, lambda: batch.claims, (NOT_LONG,)):
                again = runner.job_source.claim_again(connection, self.claim)
                batch.claims = [] if again is None else [again]
                _run(runner, connection, batch)
        except Exception as error:
            if runner.database.has_lost(connection, error):
                raise
            return self.went_wrong(error, began)
        if batch.settled:
            runner.report(batch.settled)
        return batch.settled

    def _write(self, outcome: Outcome, telling: Exception | None) -> Settled:
        """Write an outcome, unless somebody else has claimed the ticket meanwhile."""
        with CONTAINED, self.runner.transaction(self.connection, lambda: [self.claim], (NOT_LONG,)):
            again = self.runner.job_source.claim_again(self.connection, self.claim)
            settled = self._settled(again, outcome, telling)
        if settled:
            self.runner.report(settled)
        return settled

    def write_abandoned(self, outcome: Outcome, telling: Exception | None) -> Settled:
        """Do the same for an abandoned run, whose cut connection has freed its lane."""
        lane = self.claim.run.lane
        with CONTAINED, self.runner.transaction(self.connection, lambda: [self.claim]):
            # This waits until the transaction of the run is gone.
            again = self.runner.job_source.leased_claim(self.connection, key_text(self.claim.key), lane)
            is_free = lane == PARALLEL or (again is not None and leases.lock_lane(self.connection, lane))
            settled = self._settled(again, outcome, telling if is_free else None)
        if settled:
            self.runner.report(settled)
        return settled

    def _abandoned(self, connection: Connection, claim: Claim) -> Settlement:
        return _abandoned(self.runner, connection, claim)

    def _settled(self, again: Claim | None, outcome: Outcome, telling: Exception | None) -> Settled:
        if again is None:
            return []
        self.runner.tell(self.connection, again, outcome, telling, self._abandoned)
        settled: Settled = [(again, outcome)]
        self.runner.settle(self.connection, settled)
        return settled


def _abandoned(runner: Runner, connection: Connection, claim: Claim) -> Settlement:
    """Return what settles an abandoned run."""
    write = _Alone(runner, connection, claim).write_abandoned
    return Settlement(runner, connection, claim, write, "raise")
