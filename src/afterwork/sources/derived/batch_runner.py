"""Run claimed batches: calculate and store values, move machines, run view models.

A value that can't be calculated or stored fails alone. A batch has as many calculations as take about a tenth of a
second.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from afterwork.boundary import CONTAINED
from afterwork.clock import Clock
from afterwork.derived.compute.action_runner import ActionAttempt, ActionRunner
from afterwork.derived.compute.calculators import Calculators, TolerantCalculation
from afterwork.derived.compute.next_runs import FIRST_PAUSE
from afterwork.derived.compute.result_store import LOCKED_PAUSE, ResultStore
from afterwork.derived.compute.results import (
    UNSENDABLE,
    CalculationResult,
    Limited,
    ResultGroup,
    RunOf,
    StoreContext,
    ran,
)
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_cache import ClaimedBatch, ClaimedCache
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import ClaimLost, Escaped, LaneTaken, RowNotFound, StateHasChanged, TimedOut
from afterwork.events import Broken
from afterwork.jobs.run import Succeeded, event_of
from afterwork.jobs.source import EndedRuns
from afterwork.jobs.time_limits import TimeLimits
from afterwork.model.derivation import MachineDerivation, MemberDerivation, ViewModelDerivation
from afterwork.model.external_id import parse

BATCH_SECONDS = 0.1
"""The approximate duration of a batch of calculations, which sees a single state of the database."""

MAX_BATCH_SIZE = 200
"""The maximum number of calculations in a batch."""

MAX_SQL_BATCH_SIZE = 2000
"""The maximum number of calculations in a batch that a single statement makes."""

FIRST_BATCH_SIZE = 4
"""The number of calculations in the first batch, which shows what must be calculated before."""

FIRST_GUESS_SECONDS = BATCH_SECONDS / 20
"""The assumed duration of a calculation that has never run."""

NEWEST_SHARE = 0.3
"""The weight of the newest batch in the average duration."""


@dataclass
class Pace:
    """The average duration of each derivation's runs on this server, and their number. Runs are counted only for
    derivations whose reads were unknown. `singly` counts caches to run one at a time, since a batch was abandoned."""

    seconds: dict[int, float] = field(default_factory=dict)
    tried: dict[int, int] = field(default_factory=dict)
    singly: dict[int, int] = field(default_factory=dict)

    def batch_size(self, derivation: RegisteredDerivation) -> int:
        if isinstance(derivation.declaration, ViewModelDerivation) or self.singly.get(derivation.id):
            return 1
        average = self.seconds.get(derivation.id, FIRST_GUESS_SECONDS)
        return max(1, min(MAX_BATCH_SIZE, int(BATCH_SECONDS / max(average, BATCH_SECONDS / MAX_BATCH_SIZE))))

    def trial_size(self, derivation: RegisteredDerivation, *, reads_are_known: bool) -> int:
        """Return the maximum batch size while reads are unknown: a few runs, then as many as so far. So only few caches
        run before the ones that they depend on."""
        return max(FIRST_BATCH_SIZE, self.tried.setdefault(derivation.id, MAX_SQL_BATCH_SIZE if reads_are_known else 0))

    def note(self, derivation: RegisteredDerivation, count: int, seconds: float) -> None:
        """Record that `count` calculations have run, in `seconds` altogether."""
        if count:
            self.singly[derivation.id] = max(0, self.singly.get(derivation.id, 0) - count)
            self.tried[derivation.id] = self.tried.get(derivation.id, 0) + count
            average = self.seconds.get(derivation.id, seconds / count)
            self.seconds[derivation.id] = (1 - NEWEST_SHARE) * average + NEWEST_SHARE * seconds / count


MAX_ATTEMPTS = 3
"""The maximum number of immediate attempts while the database refuses a run because of other transactions."""

CONTENDED_PAUSE = timedelta(seconds=1)
"""The pause after which such a cache may be claimed again."""


@dataclass(frozen=True)
class BatchRunner:
    """Runs the caches of one batch, and stores their results."""

    matcher: Matcher
    calculators: Calculators
    result_store: ResultStore
    action_runner: ActionRunner
    clock: Clock
    run_of: RunOf
    time_limits: TimeLimits
    pace: Pace = field(default_factory=Pace)

    def batch_size(self, derivation: RegisteredDerivation) -> int:
        is_in_sql = derivation.id in self.calculators.sql
        size = MAX_SQL_BATCH_SIZE if is_in_sql else self.pace.batch_size(derivation)
        reads_are_known = self.matcher.registry.has_read(derivation.id)
        return min(size, self.pace.trial_size(derivation, reads_are_known=reads_are_known))

    def run(self, connection: Connection, batch: ClaimedBatch) -> EndedRuns:
        """Run a batch and return its runs. Raises errors of the database."""
        self.matcher.reached("claimed", batch.derivation.name)
        match batch.derivation.declaration:
            case MemberDerivation():
                return self._calculate(connection, batch)
            case MachineDerivation():
                return self._move(connection, batch)
            case ViewModelDerivation():
                return self._act(connection, batch)

    def put_back(self, connection: Connection, batch: ClaimedBatch, error: Exception) -> None:
        """Let the caches of a batch that ended in an error be claimed again, after a pause."""
        self._put_back(connection, batch, self._pause_after(error))

    def give_up(self, connection: Connection, batch: ClaimedBatch, error: Exception, seconds: float = 0.0) -> EndedRuns:
        """Record that the single cache of a batch has failed, after some seconds. It keeps its manifest."""
        (claimed,) = batch.caches
        root = parse(claimed.root, self.action_runner.classes)
        reads = None
        with self.matcher.database.snapshot(connection) as snapshot:
            if claimed.digest is None:
                reads = self.action_runner.reads_of_never_run(connection, batch.derivation, claimed)
        failed = CalculationResult(claimed, root, reads=reads, error=error, seconds=seconds)
        context = StoreContext(connection, batch.derivation, snapshot, self.clock.now())
        return ran(self.result_store.store(context, batch, [failed]), batch.derivation, self.run_of)

    def _calculate(self, connection: Connection, batch: ClaimedBatch) -> EndedRuns:
        runs: list[Any] = []
        try:
            for part in _apart(batch):
                for group in self._groups(connection, part):
                    runs += self._store(connection, group)
        except DBAPIError as error:
            if not self.matcher.database.is_contended(error):
                raise
            self._put_back(connection, batch, min(LOCKED_PAUSE, self._pause_after(error)))
        return runs

    def _limits(self, connection: Connection, batch: ClaimedBatch) -> Limited:
        """Return the time limit of a batch's calculations. One that is abandoned fails alone."""
        timeout = self.time_limits.of_calculation(batch.derivation.declaration.timeout)

        def limited(caches: Sequence[ClaimedCache]) -> AbstractContextManager[object]:
            settle = partial(self._abandoned, batch, caches[0]) if len(caches) == 1 else partial(self._let_go, batch)
            return self.time_limits.over(connection, self.run_of(batch.derivation, caches[0]), timeout, settle)

        return limited

    def _let_go(self, batch: ClaimedBatch, connection: Connection, error: Exception) -> None:
        """Let the caches of a batch whose thread was abandoned be claimed again, one at a time."""
        self.pace.singly[batch.derivation.id] = len(batch.caches)
        with self.matcher.database.transaction(connection):
            self.matcher.due_queue.release(connection, [batch.claim])

    def _abandoned(self, batch: ClaimedBatch, claimed: ClaimedCache, connection: Connection, error: Exception) -> None:
        """Settle a cache whose thread was abandoned, on another connection, unless that is done."""
        if batch.claim not in self.matcher.due_queue.claims(connection):
            return
        connection.commit()
        alone, fail = batch.only([claimed]), partial(self._fail_alone, batch, claimed)
        run = self.run_of(batch.derivation, claimed)
        try:
            if not isinstance(batch.derivation.declaration, MemberDerivation):
                attempt = ActionAttempt(connection, alone, run, self.clock.now(), fail)
                self.action_runner.tell_abandoned(attempt, error)
        except Exception as second:
            if self.matcher.database.has_lost(connection, second):
                raise
            self.time_limits.events.emit(Broken(f"on_exception of {batch.derivation.name}", second))
        fail(connection, error)

    def _fail_alone(self, batch: ClaimedBatch, claimed: ClaimedCache, connection: Connection, error: Exception) -> None:
        """Record that a cache has failed, and let the rest of its batch be claimed again."""
        timeout = error.timeout if isinstance(error, TimedOut) else None
        seconds = 0.0 if timeout is None else timeout.total_seconds()
        for run, outcome in self.give_up(connection, batch.only([claimed]), error, seconds):
            self.time_limits.events.emit(event_of(run, outcome, self.clock.now()))
        with self.matcher.database.transaction(connection):
            self.matcher.due_queue.release(connection, [batch.claim])

    def _groups(self, connection: Connection, batch: ClaimedBatch) -> Iterable[ResultGroup]:
        limited = self._limits(connection, batch)
        in_sql = self.calculators.sql.get(batch.derivation.id)
        if in_sql is not None:
            try:
                calculation = TolerantCalculation(self.matcher, in_sql, connection, BATCH_SECONDS, limited)
                return [calculation.together(batch)[0]]
            except Exception as error:
                if self.matcher.database.is_not_the_jobs(error):
                    raise
                # One of the values that the single statement computes can't be calculated. In Python, it fails alone.
        in_python = self.calculators.python[batch.derivation.id]
        return TolerantCalculation(self.matcher, in_python, connection, BATCH_SECONDS, limited).groups(batch)

    def _store(self, connection: Connection, group: ResultGroup) -> EndedRuns:
        derivation = group.batch.derivation
        self.matcher.reached("ran", derivation.name)
        self.pace.note(derivation, len(group.results), sum(result.seconds for result in group.results))
        return ran(self._stored(connection, group), derivation, self.run_of)

    def _stored(self, connection: Connection, group: ResultGroup) -> list[CalculationResult]:
        """Store a group: all at once, or one by one if the database refuses something. Return what was stored.

        Raises errors of the database that are not about a value.
        """
        limited = self._limits(connection, group.batch)
        derivation, now = group.batch.derivation, self.clock.now()
        commit_limit = partial(self.time_limits.of_calculation, derivation.declaration.timeout)
        context = StoreContext(connection, derivation, group.snapshot, now, limited, commit_limit)
        try:
            with CONTAINED:
                return self.result_store.store(context, group.batch, group.results)
        except (SQLAlchemyError, RowNotFound, Escaped, TimedOut, *UNSENDABLE) as error:
            if self.matcher.database.is_its_own(error):
                raise
            if len(group.results) == 1:
                return self.result_store.store(context, group.batch, [_unstorable(context, group.results[0], error)])
        stored: list[CalculationResult] = []
        for result in group.results:
            alone = ResultGroup(group.batch.only([result.claimed]), group.snapshot, [result])
            stored += self._stored(connection, alone)
        with self.matcher.database.transaction(connection):
            self.matcher.due_queue.release(connection, [group.batch.claim])
        return stored

    def _move(self, connection: Connection, batch: ClaimedBatch) -> EndedRuns:
        """Find the machines that can move by themselves, and move each in its own transaction."""
        runs: list[Any] = []
        for group in self._groups(connection, batch):
            moving = [result.claimed for result in group.results if result.error is None and result.value]
            staying = [result for result in group.results if result.claimed not in moving]
            rest = batch.only(claimed for claimed in group.batch.caches if claimed not in moving)
            runs += self._store(connection, ResultGroup(rest, group.snapshot, staying))
            for claimed in moving:
                runs += self._act(connection, batch.only([claimed]))
        return runs

    def _act(self, connection: Connection, batch: ClaimedBatch) -> EndedRuns:
        """Run a view model or move a machine on the single object of a batch."""
        run = self.run_of(batch.derivation, batch.caches[0])
        abandoned = partial(self._abandoned, batch, batch.caches[0])
        for _ in range(MAX_ATTEMPTS):
            attempt = ActionAttempt(connection, batch, run, self.clock.now(), abandoned)
            try:
                raised = self.action_runner.run(attempt)
            except ClaimLost:
                return []
            except LaneTaken:
                self._put_back(connection, batch, LOCKED_PAUSE)
                return []
            except (DBAPIError, StateHasChanged) as error:
                if self.matcher.database.is_lost(error) or not self.matcher.database.is_contended(error):
                    raise
            else:
                return [(run, raised or Succeeded(attempt.seconds))]
        self._put_back(connection, batch, CONTENDED_PAUSE)
        return []

    def _pause_after(self, error: Exception) -> timedelta:
        if self.matcher.database.is_outdated(error):
            return timedelta(0)
        return CONTENDED_PAUSE if self.matcher.database.is_contended(error) else FIRST_PAUSE

    def _put_back(self, connection: Connection, batch: ClaimedBatch, pause: timedelta) -> None:
        """Let the caches that did not run be claimed again, after a pause."""
        with self.matcher.database.transaction(connection):
            caches = [claimed.cache for claimed in batch.caches]
            self.matcher.due_queue.put_back(connection, batch, caches, self.clock.now() + pause)


def _apart(batch: ClaimedBatch) -> Sequence[ClaimedBatch]:
    """Return the parts of a batch: caches that have failed before hold up only one another if they hang."""
    parts = [c for c in batch.caches if not c.attempts], [c for c in batch.caches if c.attempts]
    return [batch.only(part) for part in parts if part]


def _unstorable(context: StoreContext, result: CalculationResult, error: Exception) -> CalculationResult:
    """Return the result for a value that can't be stored. An object that was deleted meanwhile counts as gone."""
    root = result.claimed.root
    is_gone = isinstance(error, RowNotFound) and root not in context.derivation.existing(context.connection, [root])
    context.connection.commit()
    if is_gone:
        return CalculationResult(result.claimed, None, reads=result.reads)
    return CalculationResult(result.claimed, result.root, reads=result.reads, error=error, seconds=result.seconds)
