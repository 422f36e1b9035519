"""Inside: the whole run is one transaction, which holds the lane. Many small runs share one.

When one of a batch raises, all of it is rolled back and run again one by one, so that the culprit alone fails.
"""

import time
from functools import partial
from itertools import takewhile

from sqlalchemy import Connection
from sqlalchemy.orm.exc import StaleDataError

from afterwork.boundary import CONTAINED
from afterwork.errors import Cancelled, TimedOut
from afterwork.events import Abandoned, InTheWay
from afterwork.jobs.outcome import Hindered, Outcome, Raised, Rejected, text_of
from afterwork.jobs.runner import PAUSE_WHEN_CONTENDED, Runner, Settled
from afterwork.jobs.session import RunSession
from afterwork.jobs.settling import settled_somehow
from afterwork.jobs.trigger import Claim
from afterwork.model.key import key_text
from afterwork.model.lane import PARALLEL
from afterwork.store import leases
from afterwork.store.progress import CANCELLED

TRIES_WHEN_CONTENDED = 3


def run_batch(runner: Runner, connection: Connection, lane: str, priority: int | None) -> Settled | Claim:
    """Run the first due tickets of a lane in one transaction, and say what came of them; [] if nothing could be had.

    Returns the first ticket, not begun, if it must run outside of a transaction.
    """
    claims: list[Claim] = []
    try:
        with CONTAINED, runner.database.transaction(connection):
            most = 1 if lane == PARALLEL else runner.settings.batch
            found = runner.trigger.claim(connection, lane, priority, runner.clock.now(), most)
            if found and found[0].external:
                return found[0]
            claims = list(takewhile(lambda claim: not claim.external, found))
            settled = _run(runner, connection, claims)
    except Exception as error:
        if not claims or runner.database.has_lost(connection, error):
            raise
        return [done for claim in claims for done in run_alone(runner, connection, claim)]
    if settled:
        runner.report(settled)
    return settled


def run_alone(runner: Runner, connection: Connection, claim: Claim) -> Settled:
    """Run one ticket in a transaction of its own. [] if somebody else has it by now."""
    for _ in range(TRIES_WHEN_CONTENDED):
        began = time.perf_counter()
        try:
            with CONTAINED, runner.database.transaction(connection):
                again = runner.trigger.claim_again(connection, claim)
                settled = [] if again is None else _run(runner, connection, [again])
        except Cancelled:
            return _end(runner, connection, claim, Rejected(CANCELLED))
        except Exception as error:
            if runner.database.has_lost(connection, error):
                raise
            last = error
            if not (runner.database.is_contended(error) or isinstance(error, StaleDataError)):
                break
            runner.events.emit(InTheWay(text_of(error)))
        else:
            if settled:
                runner.report(settled)
            return settled
    if runner.database.is_contended(last):
        return _end(runner, connection, claim, Hindered(text_of(last), PAUSE_WHEN_CONTENDED))
    return _fail(runner, connection, claim, last, began)


def _run(runner: Runner, connection: Connection, claims: list[Claim]) -> Settled:
    if not claims:
        return []
    runner.reached("claimed", claims)
    session = RunSession(connection)
    try:
        settled = runner.execute(session, claims, partial(_give_up, runner))
        session.flush()
    finally:
        session.end()
    runner.reached("ran", claims)
    runner.settle(connection, settled)
    runner.reached("before commit", claims)
    return settled


def _fail(runner: Runner, connection: Connection, claim: Claim, error: Exception, began: float) -> Settled:
    """After the rollback, in a transaction of its own: tell the view model, and write how the ticket goes on."""
    raised = runner.raised(claim, error, began)
    try:
        return _end_as_asked(runner, connection, claim, raised, telling=error)
    except Exception as second:
        if runner.database.has_lost(connection, second):
            raise
        both = raised.with_second(second) if runner.tells(claim) else raised
        return _end(runner, connection, claim, both)


def _end(runner: Runner, connection: Connection, claim: Claim, outcome: Outcome) -> Settled:
    return settled_somehow(
        runner, connection, claim, outcome, lambda some: _end_as_asked(runner, connection, claim, some)
    )


def _end_as_asked(
    runner: Runner, connection: Connection, claim: Claim, outcome: Outcome, telling: Exception | None = None
) -> Settled:
    with CONTAINED, runner.database.transaction(connection):
        again = runner.trigger.claim_again(connection, claim)
        if again is None:
            return []
        if telling is not None and isinstance(outcome, Raised):
            runner.tell(connection, again, telling, outcome.text)
        settled: Settled = [(again, outcome)]
        runner.settle(connection, settled)
    runner.report(settled)
    return settled


def _give_up(runner: Runner, claim: Claim, driver: object, error: TimedOut, began: float) -> None:
    """After a run was abandoned, with whose transaction its lane is freed: write how its ticket goes on."""
    runner.database.cut(driver)
    raised = runner.raised(claim, error, began)
    runner.events.emit(Abandoned(claim.run.work, claim.run.root_id, str(claim.run.id)))
    runner.on_fresh_connection(lambda fresh: _end_abandoned(runner, fresh, claim, raised, error))


def _end_abandoned(runner: Runner, connection: Connection, claim: Claim, raised: Raised, error: TimedOut) -> Settled:
    with runner.database.transaction(connection):
        # Waits until the transaction of the run is gone.
        again = runner.trigger.held(connection, key_text(claim.key), claim.run.lane)
        if again is None:
            return []
        if claim.run.lane == PARALLEL or leases.lock_lane(connection, claim.run.lane):
            runner.tell(connection, again, error, raised.text)
        settled: Settled = [(again, raised)]
        runner.settle(connection, settled)
    runner.report(settled)
    return settled
