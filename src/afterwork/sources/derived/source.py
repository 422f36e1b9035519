"""Stale caches start jobs: a derived member or a view model that has read something which was changed since."""

import uuid
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from afterwork.boundary import CONTAINED
from afterwork.clock import Clock
from afterwork.derived.capture.continuity import ContinuityProof
from afterwork.derived.compute.action_runner import ActionRunner, Attempt
from afterwork.derived.compute.backfill import Backfill
from afterwork.derived.compute.calculators import Calculators
from afterwork.derived.compute.failure_isolation import CalculatedGroup, calculated, together
from afterwork.derived.compute.inline import InlineRecomputation, InlineStep
from afterwork.derived.compute.python_calculator import UNFIT, Calculated, outcomes
from afterwork.derived.compute.result_store import FIRST_PAUSE, LOCKED_PAUSE, ResultStore
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_queue import ClaimedBatch, ClaimedCache, DueSummary
from afterwork.derived.queue.registry import RegisteredDerivation
from afterwork.derived.queue.schedule import BackfillStep, QueueState, ReleaseStep, RunStep, Schedule
from afterwork.errors import ClaimLost, Escaped, GivenUp, LaneTaken, RowNotFound, StateHasChanged
from afterwork.jobs.assignment import OwnWork, Worker
from afterwork.jobs.outcome import Succeeded
from afterwork.jobs.quarantine import CACHES as CAREFUL
from afterwork.jobs.quarantine import Quarantine, given_up
from afterwork.jobs.run import Run
from afterwork.jobs.source import Due, Peers, Ran
from afterwork.model.derivation import MachineDerivation, MemberDerivation, ViewModelDerivation
from afterwork.model.external_id import parse
from afterwork.store import suspects
from afterwork.store.routing import routing_of
from afterwork.store.suspects import key_of

BESIDE = timedelta(milliseconds=50)
"""How soon to look again while another server runs what something waits for."""

SLICE = 0.1
"""Seconds that one batch of calculations takes about, during which it sees one state of the database."""

MOST = 200
"""Calculations in one batch."""

MOST_IN_SQL = 2000
"""The same where one statement makes them."""

TRIAL = 4
"""The first calculations ever, by which it is learned what others must be made before."""

FORGET_EVERY = 10
"""After so many batches it is seen which changes no calculation in flight needs any more."""

STEPS = 20
"""So many small changes in a row are made good at once, until it is seen what else is to be done."""

TRIES = 3

CONTENDED_PAUSE = timedelta(seconds=1)


@dataclass
class Pace:
    """How long the runs of each definition take, in seconds, as far as this server has seen; and how many there have
    been of those of which nobody knew what they read."""

    seconds: dict[int, float] = field(default_factory=dict)
    tried: dict[int, int] = field(default_factory=dict)

    def most(self, definition: RegisteredDerivation) -> int:
        """How many runs make one batch."""
        if isinstance(definition.declaration, ViewModelDerivation):
            return 1
        return max(1, min(MOST, int(SLICE / max(self.seconds.get(definition.id, SLICE / 20), SLICE / MOST))))

    def trial(self, definition: RegisteredDerivation, is_known: bool) -> int:
        """How many runs make one batch at most, if it is not known what they read: few, then as many as have been so
        far. Thus few run before what feeds them."""
        return max(TRIAL, self.tried.setdefault(definition.id, MOST_IN_SQL if is_known else 0))

    def note(self, definition: RegisteredDerivation, count: int, seconds: float) -> None:
        """A batch has run."""
        if count:
            self.tried[definition.id] = self.tried.get(definition.id, 0) + count
            before = self.seconds.get(definition.id, seconds / count)
            self.seconds[definition.id] = 0.7 * before + 0.3 * seconds / count


DERIVED = OwnWork("derived")


@dataclass(frozen=True)
class DerivedSource:
    """Looks for caches that are due, and runs them."""

    own = DERIVED

    matcher: Matcher
    inline: InlineRecomputation
    backfill: Backfill
    result_store: ResultStore
    action_runner: ActionRunner
    calculators: Calculators
    continuity: ContinuityProof
    clock: Clock
    run_of: Callable[[RegisteredDerivation, ClaimedCache], Run]
    quarantine: Quarantine
    pace: Pace = field(default_factory=Pace)
    schedule: Schedule = field(default_factory=Schedule)

    def prove(self, connection: Connection) -> bool:
        """See whether all changes have been captured. What may be wrong otherwise is to run again. False if others are
        in the way, so that nobody knows."""
        return self.continuity.prove(connection)

    def due(self, connection: Connection, now: datetime) -> Due:
        """Return whether something is due now, and when something will be."""
        if not routing_of(self.matcher.database.settings).does("caches"):
            return Due()
        if not self.matcher.entries.is_empty(connection):
            return Due({DERIVED: [0]})
        look = self._look(connection, now)
        if self.schedule.next(look) is not None:
            return Due({DERIVED: [0]})
        first = look.next_moment
        return Due({}, None if first is None else max(first, now + BESIDE))

    def check(self, connection: Connection) -> timedelta | None:
        """Check for changes that no trigger has captured."""
        settings = self.matcher.database.settings
        return settings.prove_every if self.prove(connection) else settings.standby_poll

    def work(self, connection: Connection, worker: Worker) -> Generator[Ran]:
        yield []  # even if another server has all that is due: `due` says when to look again
        yield from self.refresh(connection, worker.server, worker.claim)

    def refresh(self, connection: Connection, server: int, active: Callable[[str, bool], None]) -> Iterator[Ran]:
        """Run what is due, a batch at a time, until nothing is. `active` is told of each claim for as long as this
        server is at it."""
        for number in count(1):
            yield from self._take(connection)
            if number % FORGET_EVERY == 0:  # there may always be something to do
                self._forget(connection)
            match self.schedule.next(self._look(connection, self.clock.now())):
                case RunStep() as turn:
                    yield self._run(connection, turn, server, active)
                    self.schedule.ran(turn)
                case ReleaseStep(circle):
                    self._free(connection, circle)
                case BackfillStep(definition) if self._fill(connection, definition) or self.schedule.gives_way():
                    pass
                case _:
                    break
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        """Drop the changes that were kept aside for calculations which have ended."""
        with self.matcher.database.transaction(connection):
            self.matcher.entries.forget(connection)

    def _take(self, connection: Connection) -> Iterator[Ran]:
        """Take changes, and run at once what is quick: all of them, unless there are always more."""
        for _ in range(STEPS):
            step = self._step(connection)
            if step.ran:
                yield step.ran
            if not step.more:
                break

    def _step(self, connection: Connection) -> InlineStep:
        """Take changes. What would be calculated at once leaves no trace; so where that is wanted, it is only noted."""
        if self.quarantine.take(CAREFUL):
            return self.inline.note(connection)
        try:
            return self.inline.take(connection)
        except BaseException as error:
            if self.matcher.database.has_lost(connection, error):
                self.quarantine.lost(CAREFUL, None, error)
            raise

    def _look(self, connection: Connection, now: datetime) -> QueueState:
        waiting = self._waiting(connection)
        definitions = self.matcher.registry
        held = self._held(connection) if definitions.order.cyclic else {}
        return QueueState(waiting, held, definitions.by_id, definitions.order, now)

    def _held(self, connection: Connection) -> Mapping[int, datetime]:
        found = self.matcher.due_queue.held(connection)
        connection.commit()
        circular = self.matcher.registry.order.cyclic
        return {number: first for number, first in found.items() if number in circular}

    def _free(self, connection: Connection, circle: Collection[int]) -> None:
        """Let go of caches that are held."""
        is_free = self.schedule.frees_anyway or self.matcher.entries.is_empty(connection)  # else others may come first
        if is_free:
            with self.matcher.database.transaction(connection):
                self.matcher.levels.free(connection, circle, self.clock.now())
        self.schedule.freed(is_free)

    def _waiting(self, connection: Connection) -> Mapping[int, DueSummary]:
        definitions = self.matcher.registry
        found = {one.derivation: one for one in self.matcher.due_queue.waiting(connection)}
        if any(one.declaration.checksum != found[number].checksum for number, one in definitions.mine.items()):
            definitions.load(connection)
        connection.commit()
        # What this model has not, or has other code for, is left to servers whose model has it.
        return {number: one for number, one in found.items() if number in definitions.mine}

    def _fill(self, connection: Connection, definition: RegisteredDerivation) -> bool:
        """Add the next chunk of caches to be filled. False if another server is just doing that."""
        added = self.backfill.step(connection, definition, self.clock.now())
        after = self._waiting(connection).get(definition.id)
        return added or after is None or after.backfilled

    def adopt(self, connection: Connection, peers: Peers) -> bool:
        """Take care of the claims of servers that are gone, and of those that this one has lost track of. True if there
        are claims of others, which must be looked after."""
        living = peers.living()
        claims = self.matcher.due_queue.claims(connection)
        mine = peers.claims()  # after that: what this server has begun meanwhile is no orphan
        orphans = {
            claim
            for claim, owner in claims.items()
            if owner not in living or (owner == peers.server and claim not in mine)
        }
        connection.commit()
        for claim in orphans:
            self.action_runner.check(connection, claim)
        if orphans:
            with self.matcher.database.transaction(connection):
                self.matcher.due_queue.release(connection, orphans)
                self.matcher.entries.forget(connection)
        return any(owner != peers.server for claim, owner in claims.items() if claim not in orphans)

    # Running it.

    def _run(
        self,
        connection: Connection,
        turn: RunStep,
        server: int,
        active: Callable[[str, bool], None],
    ) -> Ran:
        now, definition = self.clock.now(), turn.derivation
        careful = self.quarantine.take(_scope(definition))
        # Held before it is there: a claim that this server doesn't know of is taken for forgotten.
        claim = str(uuid.uuid4())
        active(claim, True)
        try:
            with self.matcher.database.light_statement(connection):
                most = 1 if careful else self._most(definition)
                batch = self.matcher.due_queue.claim(connection, definition, turn.is_backfill, now, most, server, claim)
            if not batch.caches:
                return []
            return (self._run_alone if careful else self._run_batch)(connection, definition, batch)
        finally:
            active(claim, False)

    def _run_alone(self, connection: Connection, definition: RegisteredDerivation, batch: ClaimedBatch) -> Ran:
        """Run a single cache, whose claim is the trace that it leaves, unless it has ended too much already."""
        (claimed,) = batch.caches
        key = key_of(claimed.cache)
        suspect = suspects.find(connection, key)
        connection.commit()
        if suspect is not None and suspect.is_beyond(self.matcher.database.settings.crash_limit):
            error = given_up(suspect, self.matcher.database.settings)
            return self._store_given_up(connection, definition, batch, error)
        ran = self._run_batch(connection, definition, batch)
        if suspect is not None:
            with self.matcher.database.transaction(connection):
                suspects.clear(connection, [key])
        return ran

    def _store_given_up(
        self, connection: Connection, definition: RegisteredDerivation, batch: ClaimedBatch, error: GivenUp
    ) -> Ran:
        """Note that a cache is not run any more, until something changes that it read the last time."""
        (claimed,) = batch.caches
        root = parse(claimed.root, self.action_runner.classes)
        with self.matcher.database.snapshot(connection) as snapshot:
            reads = self.action_runner.never_run(connection, definition, claimed) if claimed.digest is None else None
        failed = Calculated(claimed, root, reads=reads, error=error)
        stored = self.result_store.store(connection, definition, batch, snapshot, [failed], self.clock.now())
        return outcomes(stored, definition, self.run_of)

    def _run_batch(self, connection: Connection, definition: RegisteredDerivation, batch: ClaimedBatch) -> Ran:
        self.matcher.reached("claimed", definition.name)
        try:
            match definition.declaration:
                case MemberDerivation():
                    return self._calculate(connection, definition, batch)
                case MachineDerivation():
                    return self._move(connection, definition, batch)
                case ViewModelDerivation():
                    return self._renew(connection, definition, batch)
        except Exception as error:
            if self.matcher.database.has_lost(connection, error):
                key = key_of(batch.caches[0].cache) if len(batch.caches) == 1 else None
                self.quarantine.lost(_scope(definition), key, error)
                raise
            self._put_back(connection, batch, self._pause_after(error))
            raise

    def _pause_after(self, error: Exception) -> timedelta:
        if self.matcher.database.is_outdated(error):
            return timedelta(0)
        return CONTENDED_PAUSE if self.matcher.database.is_contended(error) else FIRST_PAUSE

    def _put_back(self, connection: Connection, batch: ClaimedBatch, pause: timedelta) -> None:
        """Let what has not run of a batch be claimed again, after a pause."""
        with self.matcher.database.transaction(connection):
            caches = [one.cache for one in batch.caches]
            self.matcher.due_queue.put_back(connection, batch, caches, self.clock.now() + pause)

    def _most(self, definition: RegisteredDerivation) -> int:
        most = MOST_IN_SQL if definition.id in self.calculators.sql else self.pace.most(definition)
        return min(most, self.pace.trial(definition, self.matcher.registry.has_read(definition.id)))

    def _calculate(self, connection: Connection, definition: RegisteredDerivation, batch: ClaimedBatch) -> Ran:
        ran: list[Any] = []
        try:
            for group in self._calculated(connection, definition, batch):
                ran += self._settle(connection, definition, batch.claim, group)
        except DBAPIError as error:
            if not self.matcher.database.is_contended(error):
                raise
            self._put_back(connection, batch, min(LOCKED_PAUSE, self._pause_after(error)))
        return ran

    def _calculated(
        self, connection: Connection, definition: RegisteredDerivation, batch: ClaimedBatch
    ) -> Iterable[CalculatedGroup]:
        in_sql = self.calculators.sql.get(definition.id)
        if in_sql is not None:
            try:
                return [together(self.matcher, in_sql, connection, batch.caches, SLICE)[0]]
            except Exception as error:
                if self.matcher.database.is_not_the_jobs(error):
                    raise
                # All values were asked for by one statement, and one of them can't be had. In Python, it fails alone.
        return calculated(self.matcher, self.calculators.python[definition.id], connection, batch.caches, SLICE)

    def _settle(
        self, connection: Connection, definition: RegisteredDerivation, claim: str, group: CalculatedGroup
    ) -> Ran:
        """Store what was calculated."""
        self.matcher.reached("ran", definition.name)
        self.pace.note(definition, len(group.done), sum(one.took for one in group.done))
        stored = self._store(connection, definition, ClaimedBatch(claim, group.claimed), group.snapshot, group.done)
        return outcomes(stored, definition, self.run_of)

    def _move(self, connection: Connection, definition: RegisteredDerivation, batch: ClaimedBatch) -> Ran:
        """See which machines can move by themselves, and move those, each in a transaction of its own."""
        ran: list[Any] = []
        for group in self._calculated(connection, definition, batch):
            moving = [one.claimed for one in group.done if one.error is None and one.value]
            staying = [one for one in group.done if one.claimed not in moving]
            rest = [one for one in group.claimed if one not in moving]
            ran += self._settle(connection, definition, batch.claim, CalculatedGroup(group.snapshot, rest, staying))
            for claimed in moving:
                ran += self._renew(connection, definition, ClaimedBatch(batch.claim, [claimed]))
        return ran

    def _store(
        self,
        connection: Connection,
        definition: RegisteredDerivation,
        batch: ClaimedBatch,
        snapshot: object,
        done: list[Calculated],
    ) -> list[Calculated]:
        """Store all at once; where the database refuses something, one by one, so that only that one fails."""
        now = self.clock.now()
        try:
            with CONTAINED:
                return self.result_store.store(connection, definition, batch, snapshot, done, now)
        except (SQLAlchemyError, RowNotFound, Escaped, *UNFIT) as error:
            if self.matcher.database.is_its_own(error):
                raise
            if len(done) == 1:
                failed = self._failed(connection, definition, done[0], error)
                return self.result_store.store(connection, definition, batch, snapshot, [failed], now)
        stored = []
        for one in done:
            alone = ClaimedBatch(batch.claim, [one.claimed])
            stored += self._store(connection, definition, alone, snapshot, [one])
        with self.matcher.database.transaction(connection):
            self.matcher.due_queue.release(connection, [batch.claim])
        return stored

    def _failed(
        self, connection: Connection, definition: RegisteredDerivation, one: Calculated, error: Exception
    ) -> Calculated:
        """What becomes of a value that can't be stored. An object that has been deleted meanwhile is just gone."""
        root = one.claimed.root
        is_gone = isinstance(error, RowNotFound) and root not in definition.there(connection, [root])
        connection.commit()
        if is_gone:
            return Calculated(one.claimed, None, reads=one.reads)
        return Calculated(one.claimed, one.root, reads=one.reads, error=error, took=one.took)

    def _renew(self, connection: Connection, definition: RegisteredDerivation, batch: ClaimedBatch) -> Ran:
        claimed = batch.caches[0]
        run = self.run_of(definition, claimed)
        for _ in range(TRIES):
            try:
                attempt = Attempt(definition, batch, run, self.clock.now())
                raised = self.action_runner.renew(connection, attempt)
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


def _scope(definition: RegisteredDerivation) -> str:
    return f"{CAREFUL} {definition.id}"
