"""Inside: the whole run is one transaction, which holds the lane. Many small runs share one, for a slice of time.

When something goes wrong with a batch, all of it is rolled back, and fewer are taken: so the culprit is soon alone, and
fails alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from time import perf_counter

from sqlalchemy import Connection
from sqlalchemy.orm.exc import StaleDataError

from afterwork.boundary import CONTAINED
from afterwork.errors import BatchDisturbed, Cancelled, TicketIsHidden, TimedOut
from afterwork.events import Abandoned, InTheWay
from afterwork.jobs.batch import Batched, Done, Mixed, Undone
from afterwork.jobs.outcome import Outcome, Raised, Rejected, text_of
from afterwork.jobs.run import Run
from afterwork.jobs.runner import Runner, Settled
from afterwork.jobs.session import RunSession
from afterwork.jobs.settling import Settlement
from afterwork.jobs.source import Claim, ClaimedWork
from afterwork.model.key import key_text
from afterwork.model.lane import PARALLEL
from afterwork.store import leases
from afterwork.store.database import NOT_LONG
from afterwork.store.progress import CANCELLED

BATCH_SECONDS = 0.1
"""Seconds after which a batch takes no further ticket. Until it ends, others wait for its lane and for what it has
written."""

TRIES_WHEN_CHANGED = 3


@dataclass
class _Batch:
    """Tickets that share a transaction: what was claimed, and how far they have come."""

    claims: Sequence[Claim] = ()
    settled: Settled = field(default_factory=list)
    is_executed: bool = False


def run_batch(runner: Runner, connection: Connection, lane: str, priority: int | None, most: int) -> Batched | Claim:
    """Run up to so many of the first due tickets of a lane in one transaction, and say what came of them.

    Returns the first ticket, not begun, if it must run outside of a transaction.
    """
    batch, began = _Batch(), perf_counter()
    found = ClaimedWork([])
    try:
        with CONTAINED, runner.database.transaction(connection, (NOT_LONG,)):
            found = _claim(runner, connection, lane, priority, most)
            if found.claims and found.claims[0].external:
                return found.claims[0]
            batch.claims = list(takewhile(lambda claim: not claim.external, found.claims))
            _run(runner, connection, batch)
    except Exception as error:
        if not batch.claims or runner.database.has_lost(connection, error):
            raise
        if len(batch.claims) > 1:
            return _undone(runner, batch, error)
        return Done(_went_wrong(runner, connection, batch.claims[0], error, began), more=True, full=False)
    runner.report_runs(found.ended)
    if batch.settled:
        runner.report(batch.settled)
    full = len(batch.settled) == len(batch.claims)
    more = not full or found.goes_on or len(found.claims) == most
    return Done(batch.settled, more and bool(batch.settled or found.goes_on), full)


def _claim(runner: Runner, connection: Connection, lane: str, priority: int | None, most: int) -> ClaimedWork:
    found = runner.job_source.claim(connection, lane, priority, runner.clock.now(), most)
    for claim in found.hidden:
        runner.leave(claim, TicketIsHidden())
    return found


def run_mixed(
    runner: Runner,
    connection: Connection,
    lanes: Mapping[str, int | None],
    each: int,
    may_share: Callable[[Claim], bool],
) -> Mixed:
    """Run up to so many of the first due tickets of each of several lanes in one transaction, as far as they
    `may_share` it. Lanes that cannot be had are left out."""
    batch, had = _Batch(), _Had()
    try:
        with CONTAINED, runner.database.transaction(connection, (NOT_LONG,)):
            had = _have(runner, connection, lanes, each, may_share)
            batch.claims = [claim for claims in had.claims.values() for claim in claims]
            _run(runner, connection, batch, _settle_mixed)
    except Exception as error:
        if not batch.claims or runner.database.has_lost(connection, error):
            raise
        return _mixed_undone(runner, had, batch, error)
    runner.report_runs(had.ended)
    if batch.settled:
        runner.report(batch.settled)
    ran = {claim.run.lane for claim, _ in batch.settled}
    left = {lane: None for lane, claims in had.claims.items() if lane in had.unfit or (claims and lane not in ran)}
    left |= dict.fromkeys(had.unasked)
    done = Done(batch.settled, more=False, full=len(batch.settled) == len(batch.claims))
    return Mixed(done, had.claims.keys(), left, had.unfit)


@dataclass(frozen=True)
class _Had:
    """The claims of each lane that a transaction has, the works of the tickets that may not share it, the lanes
    for which there was no time, and the runs that have ended with the claim."""

    claims: dict[str, list[Claim]] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    unasked: list[str] = field(default_factory=list)
    ended: list[tuple[Run, Outcome]] = field(default_factory=list)


def _have(
    runner: Runner,
    connection: Connection,
    lanes: Mapping[str, int | None],
    each: int,
    may_share: Callable[[Claim], bool],
) -> _Had:
    had, until = _Had(), perf_counter() + BATCH_SECONDS
    for lane, priority in lanes.items():
        if had.claims and perf_counter() >= until:
            had.unasked.append(lane)
            continue
        found = _claim(runner, connection, lane, priority, each)
        had.ended.extend(found.ended)
        if found.claims or found.goes_on:
            had.claims[lane] = list(takewhile(may_share, found.claims))
        if found.claims and not had.claims[lane]:
            had.unfit[lane] = found.claims[0].run.work
    return had


def _mixed_undone(runner: Runner, had: _Had, batch: _Batch, error: Exception) -> Mixed:
    """Return who may share what next: the culprit nothing, if it is known; else each with half as many."""
    undone = _undone(runner, batch, error)
    if undone.good is not None:
        suspects = [batch.claims[undone.good].run]
        left: dict[str, int | None] = {**dict.fromkeys(had.claims), suspects[0].lane: 1}
    else:
        suspects = [claim.run for claim in batch.claims]
        most = 1 if undone.is_disturbed else max(1, len(had.claims) // 2)
        left = dict.fromkeys(had.claims, most)
    left |= dict.fromkeys(had.unasked)
    hindered = {run.work for run in suspects} if runner.database.is_contended(error) else ()
    return Mixed(undone, had.claims.keys(), left, had.unfit, hindered)


def _settle_mixed(runner: Runner, connection: Connection, batch: _Batch) -> None:
    runner.database.check_in_transaction(connection)
    runner.job_source.check(connection, batch.claims, runner.clock.now())
    runner.settle(connection, batch.settled)


def _settle(runner: Runner, connection: Connection, batch: _Batch) -> None:
    runner.settle(connection, batch.settled, batch.claims[len(batch.settled) :])


def _run(
    runner: Runner,
    connection: Connection,
    batch: _Batch,
    settle: Callable[[Runner, Connection, _Batch], None] = _settle,
) -> None:
    if not batch.claims:
        return
    runner.reached("claimed", batch.claims)
    session, until = RunSession(connection), perf_counter() + BATCH_SECONDS
    try:
        execute = runner.prepared(session, batch.claims, partial(_give_up, runner))
        for claim in batch.claims:
            batch.settled.append(execute(claim))
            if perf_counter() >= until:
                break
        batch.is_executed = True
        session.flush()
        if len(batch.claims) > 1 and session.may_have_written_tickets:
            runner.job_source.check_unchanged(connection, batch.claims, runner.clock.now())
    finally:
        session.end()
    runner.reached("ran", batch.claims)
    settle(runner, connection, batch)
    runner.reached("before commit", batch.claims)


def _undone(runner: Runner, batch: _Batch, error: Exception) -> Undone:
    if isinstance(error, BatchDisturbed):
        return Undone(len(batch.settled), None, is_disturbed=True)
    if runner.database.is_contended(error):
        runner.events.emit(InTheWay(text_of(error)))
    if batch.is_executed:
        return Undone(len(batch.settled), None)
    return Undone(len(batch.claims), len(batch.settled))


# Alone: a ticket in a transaction of its own.


def _went_wrong(
    runner: Runner, connection: Connection, claim: Claim, error: Exception, began: float, tries: int = 1
) -> Settled:
    """Settle a ticket that has raised when it was alone, after the rollback."""
    settlement = Settlement(runner, connection, claim, partial(_write, runner, connection, claim), "run again")
    if isinstance(error, Cancelled):
        return settlement.end(Rejected(CANCELLED))
    if runner.database.is_contended(error):  # the rest of its lane goes on
        return settlement.end(runner.hindered(claim, error))
    if isinstance(error, StaleDataError) and tries < TRIES_WHEN_CHANGED:
        runner.events.emit(InTheWay(text_of(error)))
        return _run_again(runner, connection, claim, tries + 1)
    return settlement.fail(runner.raised(claim, error, began), error)


def _run_again(runner: Runner, connection: Connection, claim: Claim, tries: int) -> Settled:
    """Run a ticket once more. Return [] if somebody else has it by now."""
    batch, began = _Batch(), perf_counter()
    try:
        with CONTAINED, runner.database.transaction(connection, (NOT_LONG,)):
            again = runner.job_source.claim_again(connection, claim)
            batch.claims = [] if again is None else [again]
            _run(runner, connection, batch)
    except Exception as error:
        if runner.database.has_lost(connection, error):
            raise
        return _went_wrong(runner, connection, claim, error, began, tries)
    if batch.settled:
        runner.report(batch.settled)
    return batch.settled


def _write(
    runner: Runner, connection: Connection, claim: Claim, outcome: Outcome, telling: Exception | None
) -> Settled:
    """Write an outcome, if nobody else has the ticket by now."""
    with CONTAINED, runner.database.transaction(connection, (NOT_LONG,)):
        again = runner.job_source.claim_again(connection, claim)
        if again is None:
            return []
        if telling is not None and isinstance(outcome, Raised):
            runner.tell(connection, again, telling, outcome.text)
        settled: Settled = [(again, outcome)]
        runner.settle(connection, settled)
    runner.report(settled)
    return settled


def _give_up(runner: Runner, claim: Claim, driver: object, error: TimedOut, began: float) -> None:
    """Abandon a run and write how its ticket goes on. Cutting its connection frees its lane."""
    runner.database.cut(driver)
    raised = runner.raised(claim, error, began)
    runner.events.emit(Abandoned(claim.run.work, claim.run.root_id, str(claim.run.id)))
    runner.on_fresh_connection(
        lambda fresh: Settlement(runner, fresh, claim, partial(_write_abandoned, runner, fresh, claim), "raise").fail(
            raised, error
        )
    )


def _write_abandoned(
    runner: Runner, connection: Connection, claim: Claim, outcome: Outcome, telling: Exception | None
) -> Settled:
    with CONTAINED, runner.database.transaction(connection):
        # Waits until the transaction of the run is gone.
        again = runner.job_source.held(connection, key_text(claim.key), claim.run.lane)
        if again is None:
            return []
        has_lane = claim.run.lane == PARALLEL or leases.lock_lane(connection, claim.run.lane)
        if has_lane and telling is not None and isinstance(outcome, Raised):
            runner.tell(connection, again, telling, outcome.text)
        settled: Settled = [(again, outcome)]
        runner.settle(connection, settled)
    runner.report(settled)
    return settled
