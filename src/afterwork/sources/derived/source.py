"""Stale caches start work: derived values, objects and states whose reads have changed.

The way of a change: journal, then `Matcher`, which finds the caches that have read it. They are recomputed inline, or
enqueued in `afterwork_due`. From there `ClaimingRunner` and `BatchRunner` run them, and `ResultStore` stores the
results. In quarantine, caches are claimed one at a time, and the claim is the trace.
"""

import uuid
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from afterwork.clock import Clock
from afterwork.derived.capture.requirements import ContinuityProof
from afterwork.derived.compute.backfill import Backfill, BackfillResult
from afterwork.derived.compute.calculators import Calculators
from afterwork.derived.compute.inline import InlineRecomputation, InlineStep
from afterwork.derived.compute.next_runs import CommitCheck
from afterwork.derived.compute.refresher import TURNS, Refresher, RefreshStep
from afterwork.derived.compute.result_store import LOCKED_PAUSE, ResultStore
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_schedule import BackfillStep, CacheSchedule, QueueState, ReleaseStep, RunStep
from afterwork.derived.queue.due_cache import CacheClaimRequest, ClaimedBatch, DueSummary
from afterwork.derived.queue.failed_backfills import FailedBackfills
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import CommitTimedOut
from afterwork.events import Broken
from afterwork.jobs.quarantine import CACHES, Loss, Quarantine, given_up
from afterwork.jobs.source import Due, EndedRuns, OwnWork, Peers, Source, WorkerHandle
from afterwork.sources.derived.batch_runner import BatchRunner
from afterwork.store import suspects
from afterwork.store.journal.route_spec import forget_unknown_touches
from afterwork.store.routing import routing_of
from afterwork.store.suspects import key_of


@dataclass(frozen=True)
class ClaimingRunner:
    """A runner of the queue's steps: it claims due caches and has them run, in quarantine one at a time."""

    matcher: Matcher
    batch_runner: BatchRunner
    quarantine: Quarantine
    clock: Clock

    def run(self, connection: Connection, step: RunStep, worker: WorkerHandle) -> EndedRuns:
        """Claim the first due caches of a derivation, and run them."""
        derivation = step.derivation
        is_alone = self.quarantine.tries_alone(_scope(derivation))
        limit = 1 if is_alone else self.batch_runner.batch_size(derivation)
        # Noted before the claim exists: a claim that its server doesn't know counts as forgotten.
        claim = str(uuid.uuid4())
        worker.claim(claim, True)
        try:
            request = CacheClaimRequest(derivation, step.is_backfill, limit, worker.server, claim)
            now = self.clock.now()
            with self.matcher.database.light_statement(connection):
                batch = self.matcher.due_queue.claim(connection, request, now)
            if not batch.caches:
                return []
            return self._run_alone(connection, batch) if is_alone else self._run(connection, batch)
        finally:
            worker.claim(claim, False)

    def _run_alone(self, connection: Connection, batch: ClaimedBatch) -> EndedRuns:
        """Run a single cache, whose claim is its trace, unless it has ended too many servers or workers."""
        key = key_of(batch.caches[0].cache)
        suspect = suspects.find(connection, key)
        connection.commit()
        settings = self.matcher.database.settings
        if suspect is not None and suspect.is_beyond(settings.crash_limit):
            return self.batch_runner.give_up(connection, batch, given_up(suspect, settings))
        runs = self._run(connection, batch)
        if suspect is not None:
            with self.matcher.database.transaction(connection):
                suspects.clear(connection, [key])
        return runs

    def _run(self, connection: Connection, batch: ClaimedBatch) -> EndedRuns:
        try:
            return self.batch_runner.run(connection, batch)
        except Exception as error:
            database = self.matcher.database
            if database.has_lost(connection, error):
                key = key_of(batch.caches[0].cache) if len(batch.caches) == 1 else None
                self.quarantine.lost(Loss.of(database, connection, _scope(batch.derivation), key, error))
            else:
                self.batch_runner.put_back(connection, batch, error)
            raise


def _scope(derivation: RegisteredDerivation) -> str:
    return f"{CACHES} {derivation.id}"


CONTENDED_POLL = timedelta(milliseconds=50)
"""The time until the next look while another server runs a dependency."""

BATCHES_PER_CLEANUP = 10
"""The number of batches after which changes are dropped that no running calculation needs."""

MAX_INLINE_STEPS = 20
"""The maximum number of consecutive small changes that are recomputed inline before the queue's turn."""

DERIVED = OwnWork("derived")


@dataclass
class RefreshPause:
    """The pause of refreshing while all objects that are left have rows that somebody else has locked."""

    until: datetime | None = None

    def begin(self, now: datetime) -> None:
        """Pause for a moment."""
        self.until = now + LOCKED_PAUSE

    def is_over(self, now: datetime) -> bool:
        """Return whether refreshing may go on."""
        return self.until is None or now >= self.until


@dataclass(frozen=True)
class DerivedSource(Source):
    own = DERIVED

    matcher: Matcher
    inline: InlineRecomputation
    backfill: Backfill
    result_store: ResultStore
    calculators: Calculators
    runner: ClaimingRunner
    commit_check: CommitCheck
    continuity: ContinuityProof
    quarantine: Quarantine
    clock: Clock
    refresher: Refresher
    schedule: CacheSchedule = field(default_factory=CacheSchedule)
    pause: RefreshPause = field(default_factory=RefreshPause)
    failed_backfills: FailedBackfills = field(default_factory=FailedBackfills)

    def due(self, connection: Connection, now: datetime) -> Due:
        """Return whether something is due now, and when something will be."""
        if not routing_of(self.matcher.database.settings).does("caches"):
            return Due()
        is_touched = self.refresher.is_touched(connection)
        if not self.matcher.entries.is_empty(connection) or (is_touched and self.pause.is_over(now)):
            return Due({DERIVED: [0]})
        state = self._state(connection, now)
        if self.schedule.next(state) is not None:
            return Due({DERIVED: [0]})
        due_times = [
            state.next_due,
            self.pause.until if is_touched else None,
            self.failed_backfills.next_attempt(now),
        ]
        next_due = min(filter(None, due_times), default=None)
        return Due({}, None if next_due is None else max(next_due, now + CONTENDED_POLL))

    def check(self, connection: Connection) -> timedelta | None:
        """Check for changes that no trigger has captured."""
        settings = self.matcher.database.settings
        self.matcher.database.keep_in_one_file(connection)
        return settings.prove_every if self.continuity.prove(connection) else settings.standby_poll

    def work(self, connection: Connection, worker: WorkerHandle) -> Generator[EndedRuns]:
        """Run what is due, a batch at a time, until nothing is left. Yield the runs after each batch."""
        yield from self._work(connection, worker)
        yield []  # also if another server has claimed it all: `due` says when to look again

    def adopt(self, connection: Connection, peers: Peers) -> bool:
        """End claims that nobody works on, of lost servers or forgotten by this one, and requeue their caches.

        Return True if other servers hold claims, which must be watched.
        """
        living = peers.living()
        claims = self.matcher.due_queue.claims(connection)
        mine = peers.claims()  # read last, so that a claim made meanwhile is no orphan
        orphans = {
            claim
            for claim, owner in claims.items()
            if owner not in living or (owner == peers.server and claim not in mine)
        }
        connection.commit()
        for claim in orphans:
            self.commit_check.check(connection, claim)
        if orphans:
            with self.matcher.database.transaction(connection):
                self.matcher.due_queue.release(connection, orphans)
                self.matcher.entries.forget(connection)
        return any(owner != peers.server for claim, owner in claims.items() if claim not in orphans)

    def _work(self, connection: Connection, worker: WorkerHandle) -> Iterator[EndedRuns]:
        for number in count(1):
            yield from self._refresh(connection)
            yield from self._take_changes(connection)
            if number % BATCHES_PER_CLEANUP == 0:  # there may always be something due
                self._forget_changes(connection)
            match self.schedule.next(self._state(connection, self.clock.now())):
                case RunStep() as step:
                    yield self.runner.run(connection, step, worker)
                    self.schedule.ran(step)
                case ReleaseStep(cycle):
                    self._release(connection, cycle)
                case BackfillStep(derivation):
                    progress = self._backfill_step(connection, derivation)
                    yield progress.ran
                    if not (self._goes_on(connection, derivation, progress) or self.schedule.skips_backfill()):
                        break
                case None:
                    break
        self._forget_changes(connection)

    def _refresh(self, connection: Connection) -> Iterator[EndedRuns]:
        """Refresh what is said as a query: all of it, unless changes keep coming."""
        for turn in range(1, TURNS + 1):
            is_touched = self.pause.is_over(self.clock.now()) and self.refresher.is_touched(connection)
            connection.commit()
            if not is_touched:
                break
            step = self._refresh_step(connection, turn)
            if step.ran:
                yield step.ran
            if step.is_blocked:
                self.pause.begin(self.clock.now())
            if step.is_blocked or not step.more:
                break

    def _refresh_step(self, connection: Connection, turn: int) -> RefreshStep:
        """Refresh once. In quarantine, each object runs alone, since a refresh leaves no trace."""
        if self.quarantine.tries_alone(CACHES):
            return self.refresher.set_all_aside(connection)
        with self._noticing_loss(connection):
            return self.matcher.database.again_if_outdated(lambda: self.refresher.refresh(connection, turn))

    def _take_changes(self, connection: Connection) -> Iterator[EndedRuns]:
        """Take changes, and recompute quick ones inline: all of them, unless they keep coming."""
        for _ in range(MAX_INLINE_STEPS):
            step = self._inline_step(connection)
            if step.ran:
                yield step.ran
            if not step.more:
                break

    def _inline_step(self, connection: Connection) -> InlineStep:
        """Take changes once. In quarantine, caches are only enqueued, since inline recomputation leaves no trace."""
        if self.quarantine.tries_alone(CACHES):
            return self.inline.take_and_enqueue(connection)
        with self._noticing_loss(connection):
            return self.inline.take(connection)

    @contextmanager
    def _noticing_loss(self, connection: Connection) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            database = self.matcher.database
            if database.has_lost(connection, error):
                self.quarantine.lost(Loss.of(database, connection, CACHES, None, error))
            raise

    def _forget_changes(self, connection: Connection) -> None:
        """Drop the changes that were kept for calculations that have ended."""
        with self.matcher.database.transaction(connection):
            self.matcher.entries.forget(connection)
            forget_unknown_touches(connection)

    def _state(self, connection: Connection, now: datetime) -> QueueState:
        registry = self.matcher.registry
        summaries = self.failed_backfills.without(self._summaries(connection), now)
        blocked = self._blocked(connection) if registry.order.cyclic else {}
        return QueueState(summaries, blocked, registry.by_id, registry.order, now, registry.untried)

    def _summaries(self, connection: Connection) -> Mapping[int, DueSummary]:
        """Return the waiting caches of this server's derivations; servers with another model run the rest."""
        registry = self.matcher.registry
        summaries = {summary.derivation: summary for summary in self.matcher.due_queue.summaries(connection)}
        if any(mine.checksum != _checksum(summaries.get(number)) for number, mine in registry.mine.items()):
            registry.load(connection)
        connection.commit()
        return {number: summary for number, summary in summaries.items() if number in registry.mine}

    def _blocked(self, connection: Connection) -> Mapping[int, datetime]:
        blocked = self.matcher.due_queue.blocked(connection)
        connection.commit()
        cyclic = self.matcher.registry.order.cyclic
        return {derivation: first for derivation, first in blocked.items() if derivation in cyclic}

    def _release(self, connection: Connection, cycle: Collection[int]) -> None:
        """Release blocked caches, unless waiting changes may come first."""
        may_release = self.schedule.is_release_due or self.matcher.entries.is_empty(connection)
        if may_release:
            with self.matcher.database.transaction(connection):
                self.matcher.levels.release_lowest(connection, cycle, self.clock.now())
        self.schedule.tried_release(is_released=may_release)

    def _backfill_step(self, connection: Connection, derivation: RegisteredDerivation) -> BackfillResult:
        """Do the next chunk of a backfill. In quarantine, objects are only touched, since they must run alone."""
        database, now = self.matcher.database, self.clock.now()
        touch, fill = self.refresher.touch, self.refresher.fill
        in_sets = touch if self.quarantine.tries_alone(CACHES) else fill

        def step() -> BackfillResult:
            try:
                return self.backfill.step(connection, derivation, now, in_sets)
            except (DBAPIError, CommitTimedOut) as error:
                if database.is_its_own(error):
                    raise
            return self.backfill.step(connection, derivation, now, touch)  # they can't be committed together

        try:
            with self._noticing_loss(connection):
                return database.again_if_outdated(step)
        except Exception as error:
            if database.has_lost(connection, error) or database.is_contended(error):
                raise
            self.failed_backfills.note(derivation.id, now)
            self.continuity.events.emit(Broken(f"the backfill of {derivation.name}", error))
            return BackfillResult(is_made=True)

    def _goes_on(self, connection: Connection, derivation: RegisteredDerivation, progress: BackfillResult) -> bool:
        """Return whether to go on after a step of a backfill: not while another server does the next one."""
        summary = self._summaries(connection).get(derivation.id)
        return progress.is_made or summary is None or summary.backfilled


def _checksum(summary: DueSummary | None) -> str | None:
    return None if summary is None else summary.checksum
