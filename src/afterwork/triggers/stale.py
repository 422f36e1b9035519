"""Stale caches start jobs: a derived member or a view model that has read something which was changed since."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from afterwork.clock import Clock
from afterwork.errors import ClaimLost, LaneTaken, StateHasChanged
from afterwork.jobs.outcome import Succeeded
from afterwork.jobs.run import Run
from afterwork.jobs.trigger import CACHES, Due, Ran
from afterwork.manifest.definitions import Definition, Order
from afterwork.manifest.due import Batch, Claimed, Waiting
from afterwork.manifest.match import Matcher
from afterwork.model.cache import DerivedCache, MachineCache, ViewModelCache
from afterwork.triggers.at_once import AtOnce
from afterwork.triggers.calculate import UNFIT, Calculated, Calculator, outcomes, unless_circular
from afterwork.triggers.calculate_in_sql import SqlCalculator
from afterwork.triggers.calculators import Calculators
from afterwork.triggers.fill import Filler
from afterwork.triggers.refresh import FIRST_PAUSE, LOCKED_PAUSE, Storer
from afterwork.triggers.renew import Attempt, Renewer

PATIENCE = timedelta(seconds=2)
"""So long a cache waits at most for others, that are more urgent or write what it reads and never come to rest."""

BESIDE = timedelta(milliseconds=50)
"""How soon to look again while another server runs what something waits for."""

SLICE = 0.1
"""Seconds that one batch of calculations takes about, during which it sees one state of the database."""

MOST = 200
"""Calculations in one batch."""

MOST_IN_SQL = 2000
"""The same where one statement makes them."""

TRIES = 3

CONTENDED_PAUSE = timedelta(seconds=1)


@dataclass
class Pace:
    """How long the runs of each definition take, in seconds, as far as this server has seen."""

    seconds: dict[int, float] = field(default_factory=dict)

    def most(self, definition: Definition) -> int:
        """How many runs make one batch."""
        if isinstance(definition.cache, ViewModelCache):
            return 1
        return max(1, min(MOST, int(SLICE / max(self.seconds.get(definition.id, SLICE / 20), SLICE / MOST))))

    def note(self, definition: Definition, count: int, seconds: float) -> None:
        """A batch has run."""
        if count:
            before = self.seconds.get(definition.id, seconds / count)
            self.seconds[definition.id] = 0.7 * before + 0.3 * seconds / count


@dataclass(frozen=True)
class Stale:
    """Looks for caches that are due, and runs them."""

    matcher: Matcher
    at_once: AtOnce
    filler: Filler
    storer: Storer
    renewer: Renewer
    calculators: Calculators
    clock: Clock
    run_of: Callable[[Definition, Claimed], Run]
    pace: Pace = field(default_factory=Pace)

    def due(self, connection: Connection, now: datetime) -> Due:
        """Whether something is to be done now, in the lane `CACHES`, and the next moment at which something will be."""
        if not self.matcher.entries.is_empty(connection):
            return Due({CACHES: [0]}, None)
        waiting = self._waiting(connection)
        order = self.matcher.definitions.order
        if self._next(waiting, order, now) is not None or self._next_fill(waiting, order) is not None:
            return Due({CACHES: [0]}, None)
        moments = [moment for found in waiting.values() for moment in (found.due, found.fill) if moment is not None]
        return Due({}, max(min(moments), now + BESIDE) if moments else None)

    def refresh(self, connection: Connection, server: int, active: Callable[[str, bool], None]) -> Iterator[Ran]:
        """Run what is due, a batch at a time, until nothing is. `active` is told of each claim for as long as this
        server is at it."""
        while True:
            yield from self._take(connection)
            waiting = self._waiting(connection)
            order = self.matcher.definitions.order
            if (found := self._next(waiting, order, self.clock.now())) is not None:
                yield self._run(connection, *found, server, active)
            elif (unfilled := self._next_fill(waiting, order)) is None or not self._fill(connection, unfilled):
                break
        with self.matcher.database.transaction(connection):
            self.matcher.entries.forget(connection)

    def _take(self, connection: Connection) -> Iterator[Ran]:
        """Take all changes, and run at once what is quick."""
        more = True
        while more:
            step = self.at_once.take(connection)
            if step.ran:
                yield step.ran
            more = step.more

    def _waiting(self, connection: Connection) -> Mapping[int, Waiting]:
        definitions = self.matcher.definitions
        found = {one.definition: one for one in self.matcher.dues.waiting(connection)}
        if any(one.cache.checksum != found[number].checksum for number, one in definitions.mine.items()):
            definitions.load(connection)
        connection.commit()
        # What this model has not, or has other code for, is left to servers whose model has it.
        return {number: one for number, one in found.items() if number in definitions.mine}

    def _fill(self, connection: Connection, definition: Definition) -> bool:
        """Add the next chunk of caches to be filled. False if another server is just doing that."""
        added = self.filler.step(connection, definition, self.clock.now())
        after = self._waiting(connection).get(definition.id)
        return added or after is None or after.filled

    def adopt(
        self, connection: Connection, server: int, living: Sequence[int], active: Callable[[], Sequence[str]]
    ) -> bool:
        """Take care of the claims of servers that are gone, and of those that this one has lost track of. True if there
        are claims of others, which must be looked after."""
        claims = self.matcher.dues.claims(connection)
        mine = active()  # after that: what this server has begun meanwhile is no orphan
        orphans = {
            claim for claim, owner in claims.items() if owner not in living or (owner == server and claim not in mine)
        }
        connection.commit()
        for claim in orphans:
            self.renewer.check(connection, claim)
        if orphans:
            with self.matcher.database.transaction(connection):
                self.matcher.dues.release(connection, orphans)
                self.matcher.entries.forget(connection)
        return any(owner != server for claim, owner in claims.items() if claim not in orphans)

    # What comes next.

    def _next(self, waiting: Mapping[int, Waiting], order: Order, now: datetime) -> tuple[Definition, bool] | None:
        """The definition whose caches run next, and whether they are to be filled: the most urgent one that waits for
        no other."""

        def is_busy(number: int) -> bool:
            found = waiting.get(number)
            return found is not None and (found.claimed or (found.due is not None and found.due <= now))

        def is_filling(number: int) -> bool:
            found = waiting.get(number)
            return is_busy(number) or (found is not None and found.fill is not None and found.fill <= now)

        known = self.matcher.definitions.by_id
        ranked = sorted(waiting, key=order.rank.__getitem__)
        due = {number: found for number in ranked if (found := waiting[number].due) is not None and found <= now}
        impatient = [number for number in due if due[number] <= now - PATIENCE]
        if impatient:
            return known[min(impatient, key=due.__getitem__)], False
        for number in due:
            if not any(map(is_busy, order.feeders[number])):
                return known[number], False
        for number in ranked:
            fill = waiting[number].fill
            if fill is not None and fill <= now and not any(map(is_filling, order.feeders[number])):
                return known[number], True
        return None

    def _next_fill(self, waiting: Mapping[int, Waiting], order: Order) -> Definition | None:
        if any(found.fill is not None or found.claimed for found in waiting.values()):
            return None  # one chunk after the other
        unfilled = (number for number, found in waiting.items() if not found.filled)
        first = min(unfilled, key=order.rank.__getitem__, default=None)
        return None if first is None else self.matcher.definitions.by_id[first]

    # Running it.

    def _run(
        self,
        connection: Connection,
        definition: Definition,
        fill: bool,
        server: int,
        active: Callable[[str, bool], None],
    ) -> Ran:
        now = self.clock.now()
        # Held before it is there: a claim that this server doesn't know of is taken for forgotten.
        claim = str(uuid.uuid4())
        active(claim, True)
        try:
            with self.matcher.database.light_statement(connection):
                most = self._most(definition)
                batch = self.matcher.dues.claim(connection, definition, fill, now, most, server, claim)
            return self._run_batch(connection, definition, batch) if batch.caches else []
        finally:
            active(claim, False)

    def _run_batch(self, connection: Connection, definition: Definition, batch: Batch) -> Ran:
        self.matcher.reached("claimed", definition.name)
        try:
            match definition.cache:
                case DerivedCache():
                    return self._calculate(connection, definition, batch)
                case MachineCache():
                    return self._move(connection, definition, batch)
                case ViewModelCache():
                    return self._renew(connection, definition, batch)
        except Exception as error:
            if self.matcher.database.has_lost(connection, error):
                raise
            contended = self.matcher.database.is_contended(error)
            self._put_back(connection, batch, CONTENDED_PAUSE if contended else FIRST_PAUSE)
            raise

    def _put_back(self, connection: Connection, batch: Batch, pause: timedelta) -> None:
        """Let what has not run of a batch be claimed again, after a pause."""
        with self.matcher.database.transaction(connection):
            caches = [one.cache for one in batch.caches]
            self.matcher.dues.put_back(connection, batch, caches, self.clock.now() + pause)

    def _most(self, definition: Definition) -> int:
        return MOST_IN_SQL if definition.id in self.calculators.sql else self.pace.most(definition)

    def _calculate(self, connection: Connection, definition: Definition, batch: Batch) -> Ran:
        try:
            snapshot, done = self._calculate_by(self.calculators.of(definition), connection, batch)
        except DBAPIError as error:
            if definition.id not in self.calculators.sql or self.matcher.database.is_its_own(error):
                raise
            # All values were asked for by one statement, and one of them can't be had. In Python, it fails alone.
            snapshot, done = self._calculate_by(self.calculators.python[definition.id], connection, batch)
        self.matcher.reached("ran", definition.name)
        self.pace.note(definition, len(done), sum(one.took for one in done))
        try:
            stored = self._store(connection, definition, batch, snapshot, done)
            return outcomes(stored, definition, self.run_of)
        except DBAPIError as error:
            if not self.matcher.database.is_contended(error):
                raise
        self._put_back(connection, batch, LOCKED_PAUSE)
        return []

    def _move(self, connection: Connection, definition: Definition, batch: Batch) -> Ran:
        """See which machines can move by themselves, and move those, each in a transaction of its own."""
        snapshot, done = self._calculate_by(self.calculators.python[definition.id], connection, batch)
        self.pace.note(definition, len(done), sum(one.took for one in done))
        moving = [one.claimed for one in done if one.error is None and one.value]
        staying = [one for one in done if one.claimed not in moving]
        rest = Batch(batch.claim, [one for one in batch.caches if one not in moving])
        ran = list(outcomes(self._store(connection, definition, rest, snapshot, staying), definition, self.run_of))
        for claimed in moving:
            ran += self._renew(connection, definition, Batch(batch.claim, [claimed]))
        return ran

    def _calculate_by(
        self, calculator: Calculator | SqlCalculator, connection: Connection, batch: Batch
    ) -> tuple[object, list[Calculated]]:
        """Calculate in one state of the database. Returns what that has seen, and what it came to."""
        done: list[Calculated] = []
        with self.matcher.database.snapshot(connection) as snapshot:
            for one in calculator.calculate(connection, batch.caches, SLICE):
                if one.error is not None and self.matcher.database.is_not_the_jobs(one.error):
                    raise one.error
                if isinstance(one.error, DBAPIError):
                    done.append(one)
                    break  # the transaction may have failed with it
                done.append(unless_circular(connection, one, self.matcher.definitions))
        return snapshot, done

    def _store(
        self, connection: Connection, definition: Definition, batch: Batch, snapshot: object, done: list[Calculated]
    ) -> list[Calculated]:
        """Store all at once; where the database refuses something, one by one, so that only that one fails."""
        now = self.clock.now()
        try:
            return self.storer.store(connection, definition, batch, snapshot, done, now)
        except (SQLAlchemyError, *UNFIT) as error:
            if self.matcher.database.is_its_own(error):
                raise
            if len(done) == 1:
                failed = Calculated(done[0].claimed, done[0].root, reads=done[0].reads, error=error, took=done[0].took)
                return self.storer.store(connection, definition, batch, snapshot, [failed], now)
        stored = []
        for one in done:
            alone = Batch(batch.claim, [one.claimed])
            stored += self._store(connection, definition, alone, snapshot, [one])
        with self.matcher.database.transaction(connection):
            self.matcher.dues.release(connection, [batch.claim])
        return stored

    def _renew(self, connection: Connection, definition: Definition, batch: Batch) -> Ran:
        claimed = batch.caches[0]
        run = self.run_of(definition, claimed)
        for _ in range(TRIES):
            try:
                attempt = Attempt(definition, batch, run, self.clock.now())
                raised = self.renewer.renew(connection, attempt)
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
