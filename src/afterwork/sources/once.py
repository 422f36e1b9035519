"""The source of actions that run once per database: those of an upgrade, each at most once ever, in order.

An action inside a transaction commits its effects together with its row in the log. An external action is noted first
and runs under a lease, so it has failed if its server dies. After a failure, the actions below it wait for a person.
"""

import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from afterwork.boundary import CONTAINED
from afterwork.errors import ClaimLost, ServerDied, TransactionIsTheRuns
from afterwork.events import InTheWay, Point, Reached
from afterwork.jobs.perform import RunContext, perform_action, tell
from afterwork.jobs.progress import Reporter, reporting
from afterwork.jobs.quarantine import ONCE as ONCE_SCOPE
from afterwork.jobs.quarantine import is_given_up
from afterwork.jobs.run import Outcome, Raised, Run, Succeeded, Superseded, text_of, trace_of
from afterwork.jobs.session import OutsideSession, RunSession, ended
from afterwork.jobs.source import Due, OwnWork, RunOutcomes, Source, SourceContext, WorkerHandle
from afterwork.model.timer import OnceAction
from afterwork.store import leases
from afterwork.store import once as log
from afterwork.store.leases import Lease
from afterwork.store.once import Ending, OnceRow

GONE = "It had begun, and its server was lost before it ended. What it did outside of the database may have been done."

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, MAX_WRITE_SECONDS = 0.05, 1.0, 300.0
"""The first and longest pause between attempts to write the end of an external action, and their total time."""


ONCE = OwnWork("once", is_exclusive=True)


class OnceSource(Source):
    """The once actions of one model in one database."""

    own = ONCE

    def __init__(
        self, context: SourceContext, view_models: Sequence[Sequence[OnceAction]], installation: uuid.UUID
    ) -> None:
        self.database, self.clock, self.events = context.database, context.clock, context.events
        self.variables, self.quarantine, self.time_limits = context.variables, context.quarantine, context.time_limits
        self.view_models, self.installation = view_models, installation

    def due(self, connection: Connection, now: datetime) -> Due:
        return Due({ONCE: [0]} if self._due(connection) else {})

    def work(self, connection: Connection, worker: WorkerHandle) -> Generator[RunOutcomes]:
        due = self._due(connection)
        leases.ensure_lanes(connection, {action.work.lane for action, _ in due})
        connection.commit()
        for action, row in due:
            if row is not None:
                yield from self._lost(connection, action, row)
                continue
            for following in self._from(action):
                outcome = self._run(connection, following, worker)
                if outcome is not None:
                    yield [(self._run_of(following), outcome)]
                if not isinstance(outcome, Succeeded):
                    break

    def _due(self, connection: Connection) -> list[tuple[OnceAction, OnceRow | None]]:
        """Return the first action of each view model that has not succeeded, unless it failed or its lane is paused.
        Each comes with its row, if it has begun."""
        rows = log.rows(connection)
        due = []
        for actions in self.view_models:
            for action in actions:
                row = rows.get(action.name)
                if row is None or row.ended is None:
                    due.append((action, row))
                    break
                if row.error is not None:
                    break
        paused = leases.paused(connection) if due else set()
        return [(action, row) for action, row in due if row is not None or action.work.lane not in paused]

    def _from(self, first: OnceAction) -> Sequence[OnceAction]:
        (own,) = (actions for actions in self.view_models if first in actions)
        return own[own.index(first) :]

    def _run(self, connection: Connection, action: OnceAction, worker: WorkerHandle) -> Outcome | None:
        """Run an action. Return None if another server has it, or other transactions are in the way."""
        try:
            if not action.work.external:
                return self.database.again_if_outdated(lambda: self._inside_in_quarantine(connection, action))
            lease = Lease(
                str(self._run_of(action).id), f"{log.KEY}{action.name}", action.work.lane, worker.server, epoch=1
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

    # Inside one transaction.

    def _inside_in_quarantine(self, connection: Connection, action: OnceAction) -> Outcome | None:
        """Run an action, unless it has ended too many processes. In quarantine, it leaves a trace before it is
        tried."""
        key = f"{log.KEY}{action.name}"
        with self.quarantine.trying(self.database, connection, ONCE_SCOPE, key) as careful:
            why = is_given_up(connection, key, self.database.settings) if careful else None
            connection.commit()
            if why is None:
                return self._inside(connection, action)
            with self.database.transaction(connection):
                return self._failed(connection, action, why, 0) if self._begin(connection, action) else None

    def _inside(self, connection: Connection, action: OnceAction) -> Outcome | None:
        try:
            with self.database.transaction(connection):
                if not self._begin(connection, action):
                    return None
                outcome = self._tried(connection, action)
                self._reached("before commit", action)
        except TransactionIsTheRuns as error:
            # The action has ended the transaction in which it was noted.
            with self.database.transaction(connection):
                if not self._begin(connection, action):
                    return None
                outcome = self._failed(connection, action, error, 0)
        self._reached("after commit", action)
        return outcome

    def _tried(self, connection: Connection, action: OnceAction) -> Outcome:
        began = time.monotonic()
        try:
            with CONTAINED, self.database.part(connection), ended(RunSession(connection)) as session:
                result = self._perform(action, session)
                session.flush()
                self._reached("ran", action)
        except Exception as error:
            if connection.invalidated or self.database.is_contended(error):
                raise
            self.database.check_in_transaction(connection)
            return self._failed(connection, action, error, time.monotonic() - began)
        seconds = time.monotonic() - began
        log.end(connection, action.name, Ending(self.clock.now(), seconds, result=result))
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
                    result = self._perform(action, session)
                    session.put_back_settings()
                self._reached("ran", action)
                ending = Ending(self.clock.now(), time.monotonic() - began, result=result)
                if not self._written(connection, action, lease, session, ending):
                    return Superseded()
        except Exception as error:
            if self.database.has_lost(connection, error):
                raise
            with self.database.transaction(connection):
                if not leases.holds(connection, lease):
                    return Superseded()
                outcome = self._failed(connection, action, error, time.monotonic() - began)
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
        with self.database.transaction(connection):
            if not leases.holds(connection, lease):
                return False
            with self.database.unprepared(connection):
                session.write()
            log.end(connection, action.name, ending)
            leases.release(connection, lease)
            self._reached("before commit", action)
        return True

    def _lost(self, connection: Connection, action: OnceAction, row: OnceRow) -> Iterator[RunOutcomes]:
        """Note that an action has failed because its server is gone. If the server lives, wait for it."""
        with self.database.transaction(connection):
            again = log.rows(connection).get(action.name)
            if again != row or not row.is_lost:
                return
            now = self.clock.now()
            seconds = max(timedelta(0), now - row.began).total_seconds()
            error = text_of(ServerDied(GONE))
            log.end(connection, action.name, Ending(now, seconds, error=error))
        yield [(self._run_of(action), Raised(error))]

    # Shared by both kinds.

    def _begin(self, connection: Connection, action: OnceAction) -> bool:
        """Note an action in its lane. Return False if the lane is taken, or another server has noted the action."""
        if not leases.lock_lane(connection, action.work.lane) or action.name in log.rows(connection):
            return False
        log.begin(connection, action.name, self.clock.now())
        self._reached("claimed", action)
        return True

    def _perform(self, action: OnceAction, session: RunSession) -> str | None:
        """Run the code of an action and return its result as text."""
        with reporting(Reporter(self.database, self.clock, f"{log.KEY}{action.name}", not action.work.external)):
            return perform_action(action.work, action.action, self._run_of(action), RunContext(session, self.variables))

    def _failed(self, connection: Connection, action: OnceAction, error: Exception, seconds: float) -> Raised:
        """Call the view model's `on_exception`, and note that an action has failed."""
        raised, run = Raised(text_of(error), None, seconds, trace_of(error)), self._run_of(action)
        limit = self.time_limits.over(connection, run, self.time_limits.of_hook(None), None)
        try:
            with CONTAINED, self.database.part(connection), ended(RunSession(connection)) as session:
                with limit:
                    tell(action.work, None, run, RunContext(session, self.variables), (error, raised.text))
                session.flush()
        except Exception as second:
            self.database.check_in_transaction(connection)
            raised = raised.with_second(second)
        log.end(connection, action.name, Ending(self.clock.now(), seconds, error=raised.text))
        return raised

    def _run_of(self, action: OnceAction) -> Run:
        return Run((self.installation, f"once {action.name}"), action.name, None, action.work.lane, 1, source="once")

    def _reached(self, point: Point, action: OnceAction) -> None:
        self.events.emit(Reached(point, action.name))


def once_source(context: SourceContext, installation: uuid.UUID) -> OnceSource | None:
    """Return the source of a model's once actions; None if it has none."""
    return OnceSource(context, [*context.model.once.values()], installation) if context.model.once else None
