"""Runs by lease, which leave a trace before they begin: a short transaction claims them, and another settles them.

The second checks that the lease is still ours. External runs have no transaction open in between. After a crash, small
runs go this way too, one at a time, so that a ticket that kills its process is identified.
"""

import time
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from afterwork.boundary import CONTAINED
from afterwork.errors import Cancelled, TimedOut
from afterwork.events import Abandoned
from afterwork.jobs.outcome import Outcome, Raised, Rejected, Succeeded, Superseded, Withdrawn
from afterwork.jobs.quarantine import is_given_up
from afterwork.jobs.runner import Runner, Settled
from afterwork.jobs.session import OutsideSession, RunSession
from afterwork.jobs.settling import Settlement
from afterwork.jobs.source import Claim
from afterwork.store import leases, progress, suspects
from afterwork.store.leases import Lease
from afterwork.store.progress import CANCELLED


def begin(runner: Runner, connection: Connection, claim: Claim, lease: Lease) -> bool:
    """Claim a ticket again and lease it, in a transaction of its own. Return False if another server has it."""
    try:
        with runner.database.transaction(connection):
            if runner.job_source.claim_again(connection, claim) is None:
                return False
            leases.take(runner.database, connection, lease)
    except IntegrityError:
        return False  # with slots, another server may have leased it after our statement began
    runner.reached("claimed", [claim])
    return True


def run_leased(runner: Runner, connection: Connection, lease: Lease) -> Settled:
    """Run the ticket of a lease and settle it. Return [] if the ticket no longer exists."""
    # Locks the row only while it is read: outside of `transaction`, each statement commits by itself.
    claim = runner.job_source.leased_claim(connection, lease.ticket, lease.lane)
    if claim is None:
        _forget(runner, connection, lease)
        return []
    settlement = _settlement(runner, connection, lease, claim)
    if lease.epoch > 1 and (reason := is_given_up(connection, lease.ticket, runner.settings)) is not None:
        connection.commit()
        return settlement.end(Rejected(str(reason)))
    began = time.perf_counter()
    try:
        with CONTAINED:
            run = _run_externally if claim.external else _run_in_transaction
            return run(runner, connection, lease, claim)
    except Cancelled:
        return settlement.end(Rejected(CANCELLED))
    except Exception as error:
        if runner.database.has_lost(connection, error):
            raise
        if runner.database.is_contended(error):
            return settlement.end(runner.hindered(claim, error))
        return settlement.fail(runner.raised(claim, error, began), error)


def _run_externally(runner: Runner, connection: Connection, lease: Lease, claim: Claim) -> Settled:
    session = OutsideSession(connection)
    try:
        with runner.database.reading_only(connection):
            settled = runner.execute(session, [claim], partial(_give_up, runner, lease))
            session.put_back_settings()
        runner.reached("ran", [claim])
        with runner.database.transaction(connection):
            lost = _lost(runner, connection, lease)
            if lost is None:
                if progress.asked_to_stop(connection, [lease.ticket]):
                    raise Cancelled()
                with runner.database.unprepared(connection):  # what the run loaded can't be flushed twice
                    session.write()
                _finish(runner, connection, lease, settled)
            else:
                session.end()
                settled = [(claim, lost)]
    finally:
        session.end()
    runner.report(settled)
    return settled


def _run_in_transaction(runner: Runner, connection: Connection, lease: Lease, claim: Claim) -> Settled:
    with runner.database.transaction(connection):
        if not leases.holds(connection, lease):
            settled: Settled = [(claim, Superseded())]
        elif runner.job_source.leased_claim(connection, lease.ticket, lease.lane) is None:
            # Outside lanes, a server that looked just before the lease existed may have run it meanwhile.
            leases.release(connection, lease)
            settled = []
        else:
            session = RunSession(connection)
            try:
                settled = runner.execute(session, [claim], partial(_give_up, runner, lease))
                session.flush()
            finally:
                session.end()
            runner.reached("ran", [claim])
            _finish(runner, connection, lease, settled)
    if settled:
        runner.report(settled)
    return settled


def _settlement(runner: Runner, connection: Connection, lease: Lease, claim: Claim) -> Settlement:
    write = partial(_write, runner, connection, lease, claim)
    return Settlement(runner, connection, claim, write, free=partial(_forget, runner, connection, lease))


def _write(
    runner: Runner, connection: Connection, lease: Lease, claim: Claim, outcome: Outcome, telling: Exception | None
) -> Settled:
    """Write an outcome and release the lease, if this server still holds it."""
    settled: Settled = [(claim, outcome)]
    with CONTAINED, runner.database.transaction(connection):
        lost = _lost(runner, connection, lease)
        if lost is not None:
            settled = [(claim, lost)]
        else:
            if telling is not None and isinstance(outcome, Raised):
                runner.tell(connection, claim, telling, outcome.text)
            _finish(runner, connection, lease, settled)
    runner.report(settled)
    return settled


def _lost(runner: Runner, connection: Connection, lease: Lease) -> Superseded | Withdrawn | None:
    """Return why nothing of a run may be saved: its lease was taken over, or its ticket is gone or over."""
    if not leases.holds(connection, lease):
        return Superseded()
    if runner.job_source.leased_claim(connection, lease.ticket, lease.lane) is None:
        leases.release(connection, lease)
        return Withdrawn()
    return None


def _finish(runner: Runner, connection: Connection, lease: Lease, settled: Settled) -> None:
    runner.settle(connection, settled)
    leases.release(connection, lease)
    if lease.epoch > 1 and any(isinstance(outcome, Succeeded | Raised) for _, outcome in settled):  # it has survived
        suspects.clear(connection, [lease.ticket])
    runner.reached("before commit", [claim for claim, _ in settled])


def _forget(runner: Runner, connection: Connection, lease: Lease) -> None:
    with runner.database.transaction(connection):
        if leases.holds(connection, lease):
            leases.release(connection, lease)


def _give_up(runner: Runner, lease: Lease, claim: Claim, driver: object, error: TimedOut, began: float) -> None:
    """Settle the ticket of an abandoned run, and free its lease and lane. The run itself will find its lease gone."""
    runner.database.cut(driver)
    runner.events.emit(Abandoned(claim.run.work, claim.run.root_id, str(claim.run.id)))
    raised = runner.raised(claim, error, began)
    runner.on_fresh_connection(lambda fresh: _settlement(runner, fresh, lease, claim).fail(raised, error))
