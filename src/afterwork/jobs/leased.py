"""Runs by lease, which leave a trace before they begin: a short transaction claims them, and another settles them.

The second checks that the lease is still ours. External runs have no transaction open in between. After a crash, small
runs go this way too, one at a time, so that a ticket that kills its process is identified.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from afterwork.boundary import CONTAINED
from afterwork.errors import Cancelled
from afterwork.jobs.async_run import AsyncRun
from afterwork.jobs.attempts import Settled
from afterwork.jobs.execution import Call, Execution
from afterwork.jobs.quarantine import is_given_up
from afterwork.jobs.run import Outcome, Raised, Rejected, Succeeded, Superseded, Withdrawn
from afterwork.jobs.runner import Runner
from afterwork.jobs.session import AsyncRunSession, OutsideSession, RunSession, ended
from afterwork.jobs.settling import Settlement
from afterwork.jobs.source import Claim
from afterwork.jobs.steps import written_afterwards
from afterwork.store import leases, progress, suspects
from afterwork.store.leases import Lease
from afterwork.store.progress import CANCELLED

Some = TypeVar("Some")


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


def begin_async(
    runner: Runner,
    connection: Connection,
    lane: str,
    priority: int | None,
    most: int,
    lease_of: Callable[[Claim], Lease],
) -> Mapping[Lease, Claim]:
    """Claim the first tickets of a lane that are to be awaited, at most `most`, and lease them at once.

    `lease_of` makes the lease of a claim. Return the claims by lease; none if another server was quicker."""
    try:
        with runner.database.transaction(connection):
            claimed = runner.job_source.claim(connection, lane, priority, runner.clock.now(), most)
            claims = list(takewhile(lambda claim: claim.is_async, claimed.claims))
            begun = {lease_of(claim): claim for claim in claims}
            leases.take(runner.database, connection, *begun)
    except IntegrityError:
        return {}  # another server may have leased one after our statement began
    runner.report_runs(claimed.ended)
    if claims:
        runner.reached("claimed", claims)
    return begun


def run_leased(runner: Runner, connection: Connection, lease: Lease) -> Settled | AsyncRun:
    """Run the ticket of a lease and settle it. Return [] if the ticket no longer exists, or the run if it is to be
    awaited first."""
    # Locks the row only while it is read: outside of `transaction`, each statement commits by itself.
    claim = runner.job_source.leased_claim(connection, lease.ticket, lease.lane)
    if claim is None:
        _forget(runner, connection, lease)
        return []
    return run_claimed(runner, connection, lease, claim)


def run_claimed(runner: Runner, connection: Connection, lease: Lease, claim: Claim) -> Settled | AsyncRun:
    """Do the same with a claim that was read together with its lease."""
    return _LeasedRun(runner, connection, lease, claim).run()


def _forget(runner: Runner, connection: Connection, lease: Lease) -> None:
    with runner.database.transaction(connection):
        if leases.holds(connection, lease):
            leases.release(connection, lease)


@dataclass(frozen=True)
class _LeasedRun:
    runner: Runner
    connection: Connection
    lease: Lease
    claim: Claim

    def run(self) -> Settled | AsyncRun:
        runner, connection, lease, claim = self.runner, self.connection, self.lease, self.claim
        if lease.epoch > 1 and (reason := is_given_up(connection, lease.ticket, runner.settings)) is not None:
            connection.commit()
            return self._settlement.end(Rejected(str(reason)))
        if claim.is_async:
            return self._settling(self._open, time.perf_counter())
        run = self._run_externally if claim.external else self._run_in_transaction
        return self._settling(run, time.perf_counter())

    def _settling(self, run: Callable[[], Some], began: float) -> Some | Settled:
        """Run something, and settle the ticket if that raises. `began` is a reading of `time.perf_counter`."""
        runner, connection, claim = self.runner, self.connection, self.claim
        try:
            with CONTAINED:
                return run()
        except Cancelled:
            return self._settlement.end(Rejected(CANCELLED))
        except Exception as error:
            if runner.database.has_lost(connection, error):
                raise
            if runner.database.is_contended(error):
                return self._settlement.end(runner.hindered(claim, error))
            raised = runner.attempts.raised(connection, claim, error, began, self._abandoned)
            return self._settlement.fail(raised, error)

    def _run_externally(self) -> Settled:
        runner, connection, claim = self.runner, self.connection, self.claim
        with written_afterwards(runner.database), ended(OutsideSession(connection)) as session:
            with runner.database.reading_only(connection):
                execution = Execution.of(runner, session, [claim], self._abandoned)
                settled = execution.run_all()
                session.put_back_settings()
            settled = self._saved(session, execution, settled)
        runner.report(settled)
        return settled

    def _saved(self, session: OutsideSession, execution: Execution, settled: Settled) -> Settled:
        """Save what the run has changed, and that it has ended, if its lease is still ours."""
        runner, connection = self.runner, self.connection
        runner.reached("ran", [self.claim])
        with runner.transaction(connection, lambda: [self.claim]):
            lost = self._lost()
            if lost is None:
                if progress.was_asked_to_stop(connection, self.lease.ticket):
                    raise Cancelled()
                # What the run loaded can't be flushed twice.
                with runner.database.unprepared(connection), execution.saving():
                    session.write()
                self._finish(settled)
                return settled
            session.end()
            return [(self.claim, lost)]

    def _open(self) -> Settled | AsyncRun:
        """Load what the run needs, and leave it to be awaited. Settle one that may not begin."""
        runner, connection, claim = self.runner, self.connection, self.claim
        session = AsyncRunSession(connection)
        is_left = False
        try:
            with runner.database.reading_only(connection):
                execution = Execution.of(runner, session, [claim], self._abandoned)
                call = execution.call(claim)
                session.put_back_settings()
            if isinstance(call, Call):
                session.leave()
                is_left = True
                return AsyncRun(self.lease, claim, session, execution, call, self._settle_async)
            settled = self._saved(session, execution, [(claim, call)])
        finally:
            if not is_left:
                session.end()
        runner.report(settled)
        return settled

    def _settle_async(self, connection: Connection, run: AsyncRun) -> Settled:
        """Settle a run that was awaited, on a connection that may be another one by now."""
        settling = replace(self, connection=connection)
        with ended(run.session):
            if run.lost is not None and run.error is run.lost:
                return settling._settlement.end(self.runner.hindered(self.claim, run.lost))
            return settling._settling(partial(settling._close, run), run.began)

    def _close(self, run: AsyncRun) -> Settled:
        if run.error is not None:
            raise run.error
        assert run.outcome is not None
        run.session.take(self.connection)
        settled = self._saved(run.session, run.execution, [(self.claim, run.outcome)])
        self.runner.report(settled)
        return settled

    def _run_in_transaction(self) -> Settled:
        runner, connection, lease, claim = self.runner, self.connection, self.lease, self.claim
        with runner.transaction(connection, lambda: [claim]):
            if not leases.holds(connection, lease):
                settled: Settled = [(claim, Superseded())]
            elif runner.job_source.leased_claim(connection, lease.ticket, lease.lane) is None:
                # Outside lanes, a server that looked just before the lease existed may have run it meanwhile.
                leases.release(connection, lease)
                settled = []
            else:
                with ended(RunSession(connection)) as session:
                    execution = Execution.of(runner, session, [claim], self._abandoned)
                    settled = execution.run_all()
                    with execution.saving():
                        session.flush()
                runner.reached("ran", [claim])
                self._finish(settled)
        if settled:
            runner.report(settled)
        return settled

    def _abandoned(self, connection: Connection, claim: Claim) -> Settlement:
        """Return what settles an abandoned run, and frees its lease and lane. The run itself will find its lease
        gone."""
        return replace(self, connection=connection)._settlement

    @property
    def _settlement(self) -> Settlement:
        free = partial(_forget, self.runner, self.connection, self.lease)
        return Settlement(self.runner, self.connection, self.claim, self._write, free=free)

    def _write(self, outcome: Outcome, telling: Exception | None) -> Settled:
        """Write an outcome and release the lease, if this server still holds it."""
        settled: Settled = [(self.claim, outcome)]
        with CONTAINED, self.runner.transaction(self.connection, lambda: [self.claim]):
            lost = self._lost()
            if lost is not None:
                settled = [(self.claim, lost)]
            else:
                self.runner.tell(self.connection, self.claim, outcome, telling, self._abandoned)
                self._finish(settled)
        self.runner.report(settled)
        return settled

    def _lost(self) -> Superseded | Withdrawn | None:
        """Return why nothing of the run may be saved: its lease was taken over, or its ticket is gone or over."""
        if not leases.holds(self.connection, self.lease):
            return Superseded()
        if self.runner.job_source.leased_claim(self.connection, self.lease.ticket, self.lease.lane) is None:
            leases.release(self.connection, self.lease)
            return Withdrawn()
        return None

    def _finish(self, settled: Settled) -> None:
        self.runner.settle(self.connection, settled)
        leases.release(self.connection, self.lease)
        has_survived = any(isinstance(outcome, Succeeded | Raised) for _, outcome in settled)
        if self.lease.epoch > 1 and has_survived:
            suspects.clear(self.connection, [self.lease.ticket])
        self.runner.reached("before commit", [claim for claim, _ in settled])
