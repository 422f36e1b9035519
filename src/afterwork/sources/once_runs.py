"""Runs of actions that run once per database.

An action inside a transaction commits its effects together with its row in the log. An external action is noted first
and runs under a lease, so it has failed if its server dies. One that takes too long ends as other works do.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from afterwork.boundary import CONTAINED
from afterwork.errors import ClaimLost, LaneTaken, ServerDied, TimedOut, TransactionIsTheRuns
from afterwork.events import Events, InTheWay, Point, Reached
from afterwork.jobs.perform import RunContext, perform_action, tell
from afterwork.jobs.progress import Reporter, reporting
from afterwork.jobs.quarantine import ONCE as ONCE_SCOPE
from afterwork.jobs.quarantine import is_given_up
from afterwork.jobs.run import Outcome, Raised, Run, Succeeded, Superseded, event_of, text_of
from afterwork.jobs.session import OutsideSession, RunSession, ended
from afterwork.jobs.source import EndedRuns, SourceContext, WorkerHandle
from afterwork.jobs.time_limits import Settle
from afterwork.model.timer import OnceAction
from afterwork.store import leases
from afterwork.store import once as log
from afterwork.store.database import CommitLimit, Database
from afterwork.store.leases import Lease
from afterwork.store.once import Ending, OnceRow

GONE = "It had begun, and its server was lost before it ended. What it did outside of the database may have been done."

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, MAX_WRITE_SECONDS = 0.05, 1.0, 300.0
"""The first and longest pause between attempts to write the end of an external action, and their total time."""


@dataclass(frozen=True)
class OnceRunner:
    """Runs the once actions of one model in one database, and settles those whose thread was abandoned."""

    context: SourceContext
    installation: uuid.UUID

    @property
    def database(self) -> Database:
        return self.context.database

    @property
    def events(self) -> Events:
        return self.context.events

    def run(self, connection: Connection, action: OnceAction, worker: WorkerHandle) -> Outcome | None:
        """Run an action. Return None if another server has it, or other transactions are in the way."""
        try:
            if not action.work.external:
                return self.database.again_if_outdated(lambda: self._inside_in_quarantine(connection, action))
            lease = Lease(
                str(self.run_of(action).id), f"{log.KEY}{action.name}", action.work.lane, worker.server, epoch=1
            )
            worker.hold(lease, True)
            worker.assignment.is_external = True
            try:
                return self._outside(connection, action, lease)
            finally:
                worker.assignment.is_external = False
                worker.hold(lease, False)
        except (IntegrityError, ClaimLost) as error:  # another server was quicker to note it
            self.events.emit(InTheWay(text_of(error)))
        except Exception as error:
            if not self.database.is_contended(error):
                raise
            self.events.emit(InTheWay(text_of(error)))
        return None

    def run_of(self, action: OnceAction) -> Run:
        return Run((self.installation, f"once {action.name}"), action.name, None, action.work.lane, 1, source="once")

    def end_lost(self, connection: Connection, action: OnceAction, row: OnceRow) -> Iterator[EndedRuns]:
        """Note that an action has failed because its server is gone. If the server lives, wait for it."""
        with self.database.transaction(connection):
            again = log.rows(connection).get(action.name)
            if again != row or not row.is_lost:
                return
            now = self.context.clock.now()
            seconds = max(timedelta(0), now - row.began).total_seconds()
            error = text_of(ServerDied(GONE))
            log.end(connection, action.name, Ending(now, seconds, error=error))
        yield [(self.run_of(action), Raised(error))]

    # Inside one transaction.

    def _inside_in_quarantine(self, connection: Connection, action: OnceAction) -> Outcome | None:
        """Run an action, unless it has ended too many processes. In quarantine, it leaves a trace before it is
        tried."""
        key = f"{log.KEY}{action.name}"
        with self.context.quarantine.trying(self.database, connection, ONCE_SCOPE, key) as careful:
            why = is_given_up(connection, key, self.database.settings) if careful else None
            connection.commit()
            if why is None:
                return self._inside(connection, action)
            with self.database.transaction(connection):
                return self._failed(connection, action, why, 0) if self._begin(connection, action) else None

    def _inside(self, connection: Connection, action: OnceAction) -> Outcome | None:
        outcome: Outcome | None = None
        try:
            with self.database.transaction(connection, limit=self._commit_limit(action)):
                if not self._begin(connection, action):
                    return None
                outcome = self._tried(connection, action)
                self._reached("before commit", action)
        except Exception as error:
            # Either the action has ended the transaction in which it was noted, or that can't be committed.
            is_the_actions = outcome is not None or isinstance(error, TransactionIsTheRuns)
            if not is_the_actions or self.database.is_its_own(error):
                raise
            outcome = self._note_failed(connection, action, error)
        if outcome is not None:
            self._reached("after commit", action)
        return outcome

    def _note_failed(self, connection: Connection, action: OnceAction, error: Exception) -> Outcome | None:
        """Note that an action has failed that could not be noted in its transaction. What `on_exception` does is left
        out if that can't be committed, either. Return None if another server has noted the action."""
        try:
            with self.database.transaction(connection, limit=self._commit_limit(action)):
                return self._failed(connection, action, error, 0) if self._begin(connection, action) else None
        except Exception as second:
            if self.database.is_its_own(second):
                raise
            raised = Raised(text_of(error)).with_second(second)
        with self.database.transaction(connection):
            return self._end(connection, action, raised) if self._begin(connection, action) else None

    def _tried(self, connection: Connection, action: OnceAction) -> Outcome:
        began = time.monotonic()
        try:
            with CONTAINED, self.database.part(connection), ended(RunSession(connection)) as session:
                result = self._perform(action, session, partial(self._give_up, action, None))
                self._reached("ran", action)
        except Exception as error:
            if connection.invalidated or self.database.is_contended(error):
                raise
            self.database.check_in_transaction(connection)
            return self._failed(connection, action, error, time.monotonic() - began)
        seconds = time.monotonic() - began
        log.end(connection, action.name, Ending(self.context.clock.now(), seconds, result=result))
        return Succeeded(seconds)

    # External: noted first, then run under a lease with no transaction open.

    def _outside(self, connection: Connection, action: OnceAction, lease: Lease) -> Outcome | None:
        with self.database.transaction(connection):
            if not self._begin(connection, action):
                return None
            leases.take(self.database, connection, lease)
        began = time.monotonic()
        try:
            with CONTAINED, ended(OutsideSession(connection)) as session:
                with self.database.reading_only(connection):
                    result = self._perform(action, session, partial(self._give_up, action, lease))
                    session.put_back_settings()
                self._reached("ran", action)
                ending = Ending(self.context.clock.now(), time.monotonic() - began, result=result)
                if not self._written(connection, action, lease, session, ending):
                    return Superseded()
        except Exception as error:
            if self.database.has_lost(connection, error):
                raise
            seconds = time.monotonic() - began
            with self.database.transaction(connection):
                if not leases.holds(connection, lease):
                    return Superseded()
                outcome = self._failed(connection, action, error, seconds, lease)
                leases.release(connection, lease)
            return outcome
        self._reached("after commit", action)
        return Succeeded(ending.seconds)

    def _written(
        self, connection: Connection, action: OnceAction, lease: Lease, session: OutsideSession, ending: Ending
    ) -> bool:
        """Write the changes of an action and its end. Return False if another server has taken it over. Since external
        effects can't be undone, this is retried, as long as it can be, while other transactions are in the way."""
        pause, until = FIRST_PAUSE_SECONDS, time.monotonic() + MAX_WRITE_SECONDS
        while True:
            try:
                with session.unless_sent():
                    return self._write(connection, action, lease, session, ending)
            except Exception as error:
                in_vain = not session.can_write_again or time.monotonic() > until
                if in_vain or not self.database.is_contended(error):
                    raise
                self.events.emit(InTheWay(text_of(error)))
            time.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def _write(
        self, connection: Connection, action: OnceAction, lease: Lease, session: OutsideSession, ending: Ending
    ) -> bool:
        limits, settle = self.context.time_limits, partial(self._give_up, action, lease)
        limit = limits.over(connection, self.run_of(action), limits.of_hook(action.work.timeout), settle)
        with self.database.transaction(connection, limit=self._commit_limit(action)):
            if not leases.holds(connection, lease):
                return False
            with self.database.unprepared(connection), limit:
                session.write()
            log.end(connection, action.name, ending)
            leases.release(connection, lease)
            self._reached("before commit", action)
        return True

    # Shared by both kinds.

    def _commit_limit(self, action: OnceAction) -> CommitLimit:
        return partial(self.context.time_limits.of_calculation, action.work.timeout)

    def _begin(self, connection: Connection, action: OnceAction) -> bool:
        """Note an action in its lane. Return False if the lane is taken, or another server has noted the action."""
        if not leases.lock_lane(connection, action.work.lane) or action.name in log.rows(connection):
            return False
        log.begin(connection, action.name, self.context.clock.now())
        self._reached("claimed", action)
        return True

    def _perform(self, action: OnceAction, session: RunSession, settle: Settle) -> str | None:
        """Run the code of an action, and save its changes if that needs no transaction of its own. Return its result
        as text."""
        reporter = Reporter(self.database, self.context.clock, f"{log.KEY}{action.name}", not action.work.external)
        context = RunContext(session, self.context.variables)
        with reporting(reporter), self._limit(action, session, reporter, settle):
            result = perform_action(action.work, action.action, self.run_of(action), context)
            if not action.work.external:
                session.flush()
            return result

    def _limit(
        self, action: OnceAction, session: RunSession, reporter: Reporter, settle: Settle
    ) -> AbstractContextManager[object]:
        """Return the context manager that ends the code of an action that takes too long."""
        limits = self.context.time_limits
        timeout = limits.of_run(action.work.timeout)
        if timeout is None:
            return nullcontext()
        limited = limits.outside if action.work.external else limits.inside
        reporter.watched = limited(session.outer, self.run_of(action), timeout, settle)
        return limits.timeouts.over(reporter.watched)

    def _failed(
        self, connection: Connection, action: OnceAction, error: Exception, seconds: float, lease: Lease | None = None
    ) -> Raised:
        """Call the view model's `on_exception`, and note that an action has failed."""
        limits, run = self.context.time_limits, self.run_of(action)
        timeout = limits.of_hook(action.work.timeout)

        def end(connection: Connection, hung: TimedOut, raised: Raised) -> None:
            self._settle(connection, action, lease, lambda: self._end(connection, action, raised))

        raised = limits.in_words(connection, run, error, seconds, timeout, end)
        limit = limits.over(connection, run, timeout, lambda fresh, hung: end(fresh, hung, raised.with_second(hung)))
        try:
            with CONTAINED, self.database.part(connection), ended(RunSession(connection)) as session, limit:
                tell(action.work, None, run, RunContext(session, self.context.variables), (error, raised.error))
                session.flush()
        except Exception as second:
            self.database.check_in_transaction(connection)
            raised = raised.with_second(second)
        return self._end(connection, action, raised)

    def _end(self, connection: Connection, action: OnceAction, raised: Raised) -> Raised:
        log.end(connection, action.name, Ending(self.context.clock.now(), raised.seconds, error=raised.error))
        return raised

    # After its thread was abandoned, on a fresh connection.

    def _give_up(self, action: OnceAction, lease: Lease | None, connection: Connection, error: TimedOut) -> None:
        """Note that an action has failed whose code was abandoned."""
        seconds = 0.0 if error.timeout is None else error.timeout.total_seconds()
        self._settle(connection, action, lease, lambda: self._failed(connection, action, error, seconds, lease))

    def _settle(
        self, connection: Connection, action: OnceAction, lease: Lease | None, fail: Callable[[], Raised]
    ) -> None:
        with self.database.transaction(connection):
            if not (leases.holds(connection, lease) if lease else self._begins_again(connection, action)):
                return
            outcome = fail()
            if lease is not None:
                leases.release(connection, lease)
        self.events.emit(event_of(self.run_of(action), outcome, self.context.clock.now()))

    def _begins_again(self, connection: Connection, action: OnceAction) -> bool:
        """Note an action whose transaction was cut. Return False if another server has noted it meanwhile. Raise
        `LaneTaken` while the transaction still goes on."""
        if action.name in log.rows(connection):
            return False
        if not self._begin(connection, action):
            raise LaneTaken(action.work.lane)
        return True

    def _reached(self, point: Point, action: OnceAction) -> None:
        self.events.emit(Reached(point, action.name))
