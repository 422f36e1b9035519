"""Refresh the derived members of a model that are said as queries: in sets, feeders first, in one transaction.

An object whose value can't be computed or written in its set is set aside: it gets a cache, which runs alone, fails or
not, and is tried again when something changes that it has read.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Integer, bindparam, select
from sqlalchemy.exc import DBAPIError

from afterwork.clock import Clock
from afterwork.derived.cause import Cause, cause_text
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_cache import DueEntry
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import CommitTimedOut, UnnamedObject
from afterwork.jobs.run import NO_LANE, Run, SucceededTogether
from afterwork.jobs.source import EndedRuns
from afterwork.model.key import PrimaryKey
from afterwork.model.priority import LOWEST_PRIORITY
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.dialects import refresh_of
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal.refresh import Chunk, Refreshed, SetRefresh, pending_touches
from afterwork.store.journal.route_spec import forget_touches

TURNS = 20
"""The number of consecutive turns of which urgent members may take all but the last for themselves."""

SET_SECONDS = 0.1
"""The approximate duration of a statement that computes a set, while others may wait for it."""

MIN_SIZE = 20
"""The minimum number of objects of a set, however long they take."""

MAX_FILL_SIZE = 50_000
"""The maximum number of objects that one statement fills."""

MAX_TRIES = 50
"""The maximum number of steps of one transaction that looks for the objects that must be set aside."""

_UNFILLED = DirectStatement(
    select(derivations.c.id).where(~derivations.c.backfilled, derivations.c.backfill_position.is_(None))
)
_ASIDE = DirectStatement(select(caches.c.root).where(caches.c.derivation == bindparam("of", type_=Integer())))


@dataclass(frozen=True)
class RefreshStep:
    """The result of taking touches once. `more` says that others are left; `is_blocked`, that all of these lead to
    rows that somebody else has locked."""

    ran: EndedRuns
    more: bool
    is_blocked: bool = False


@dataclass(frozen=True)
class BackfilledChunk:
    """A part of all objects that a backfill has done: how many there are, the position where it ends, and the runs.

    Without a position, the backfill is complete.
    """

    count: int
    position: str | None
    ran: EndedRuns = field(default_factory=list)


Fill = Callable[[Connection, RegisteredDerivation, str | None], BackfilledChunk]
"""Computes or touches the next objects after a position in the order of keys, in the open transaction."""


@dataclass
class SetPace:
    """The average duration of computing an object, by derivation, in seconds, as far as it is known."""

    seconds: dict[int, float] = field(default_factory=dict)

    def size(self, derivation: int, first: int, most: int) -> int:
        """Return the number of objects that take about `SET_SECONDS`, `first` if that is unknown; at most `most`."""
        average = self.seconds.get(derivation)
        return min(most, first if average is None else max(MIN_SIZE, int(SET_SECONDS / average)))

    def note(self, derivation: int, size: int, count: int, seconds: float) -> float:
        """Record the seconds that `count` objects took, of at most `size`, and return those of each.

        Few objects tell little, if they are done at once.
        """
        average = seconds / max(1, count)
        if count >= size or seconds > SET_SECONDS:
            self.seconds[derivation] = average
        return average


@dataclass(frozen=True)
class _TimedStep:
    """The result of a step of one derivation, and the seconds that each of its objects took."""

    done: Refreshed
    seconds: float


@dataclass(frozen=True)
class Refresher:
    """Refreshes derived members: the most urgent first, and each after those that it reads.

    While urgent ones have more objects than one step takes, less urgent ones have one turn in `TURNS`.
    """

    matcher: Matcher
    clock: Clock
    installation: uuid.UUID
    refreshes: Mapping[int, SetRefresh]
    pace: SetPace = field(default_factory=SetPace)
    fill_pace: SetPace = field(default_factory=SetPace)

    @classmethod
    def of(cls, matcher: Matcher, clock: Clock, installation: uuid.UUID) -> "Refresher":
        """Return the refresher of a matcher's derivations."""
        plans = {derivation.id: derivation.plan for derivation in matcher.registry if derivation.plan is not None}
        refreshes = {number: refresh_of(plan, matcher.dialect.name) for number, plan in plans.items()}
        return cls(matcher, clock, installation, refreshes)

    def is_touched(self, connection: Connection) -> bool:
        """Return whether any object of the derivations that this server refreshes is touched."""
        pending = pending_touches(connection)
        return pending.are_any and any(
            pending.count(connection, refresh.plan.routes) for _, refresh in self._mine(connection)
        )

    def fill(self, connection: Connection, derivation: RegisteredDerivation, position: str | None) -> BackfilledChunk:
        """Compute the next objects after a position in the order of keys, in the open transaction. If any can't be
        computed, touch all of them instead, so that the next refresh finds these."""
        database, refresh = self.matcher.database, self.refreshes[derivation.id]
        size = self.fill_pace.size(derivation.id, refresh.first_objects, MAX_FILL_SIZE)
        began = time.perf_counter()
        try:
            with database.part(connection):
                chunk = refresh.fill_chunk(connection, _key_at(position), size, self.clock.now())
        except DBAPIError as error:
            if database.is_not_the_jobs(error):
                raise
            return self.touch(connection, derivation, position)
        seconds = self.fill_pace.note(derivation.id, size, chunk.count, time.perf_counter() - began)
        ran = self._record(connection, derivation, _TimedStep(chunk.done, seconds))
        return BackfilledChunk(chunk.count, _position_of(chunk), ran)

    def refresh(self, connection: Connection, turn: int = 0) -> RefreshStep:
        """Take touches and refresh the objects that they lead to, of each derivation at most one step.

        `turn` counts the turns without a break: less urgent members may have to wait for theirs.
        """
        try:
            with self._transaction(connection):
                return self._together(connection, turn)
        except CommitTimedOut:
            return self.set_all_aside(connection)
        except DBAPIError as error:
            if self._is_of_no_value(error):
                raise
        try:
            with self._transaction(connection):
                return self._carefully(connection)
        except CommitTimedOut:
            return self.set_all_aside(connection)
        except DBAPIError as error:
            if self._is_of_no_value(error):
                raise
        return self.set_all_aside(connection)  # deferred triggers or constraints refuse some of the values

    def _transaction(self, connection: Connection) -> AbstractContextManager[None]:
        return self.matcher.database.transaction(connection, self.matcher.entries.to_take)

    def _is_of_no_value(self, error: DBAPIError) -> bool:
        """Return whether an error says nothing of the values that are written."""
        return self.matcher.database.is_its_own(error) or self.matcher.database.is_outdated(error)

    def touch(self, connection: Connection, derivation: RegisteredDerivation, position: str | None) -> BackfilledChunk:
        """Touch the next objects after a position instead of computing them, in the open transaction."""
        refresh = self.refreshes[derivation.id]
        chunk = refresh.touch_chunk(connection, _key_at(position), refresh.max_objects)
        return BackfilledChunk(chunk.count, _position_of(chunk))

    def set_all_aside(self, connection: Connection) -> RefreshStep:
        """Take touches, and let the objects that they lead to run alone, each with a trace."""
        with self.matcher.database.transaction(connection, self.matcher.entries.to_take):
            for derivation, refresh in self._touched(connection):
                self._set_aside(connection, derivation, refresh.set_aside(connection, refresh.max_objects))
        return RefreshStep([], more=True)

    def _mine(self, connection: Connection) -> list[tuple[RegisteredDerivation, SetRefresh]]:
        """Return the derivations that this server refreshes, the most urgent first.

        Omit derivations whose backfill has not begun, since a backfill drops their touches.
        """
        mine, rank = self.matcher.registry.mine, self.matcher.registry.order.rank
        ranked = sorted((rank[number], refresh.plan.place, number) for number, refresh in self.refreshes.items())
        waiting = {row[0] for row in _UNFILLED.execute(connection)}
        numbers = (number for _, _, number in ranked if number in mine and number not in waiting)
        return [(mine[number], self.refreshes[number]) for number in numbers]

    def _urgency(self, derivation: RegisteredDerivation) -> int:
        return self.matcher.registry.order.rank[derivation.id][0]

    def _together(self, connection: Connection, turn: int) -> RefreshStep:
        runs: EndedRuns = []
        more, urgent, unfinished = False, LOWEST_PRIORITY, set[int]()
        is_strict = turn % TURNS != 0
        pending = pending_touches(connection)
        for derivation, refresh in self._mine(connection):
            if self._urgency(derivation) > urgent and is_strict:
                break
            if is_strict and unfinished.intersection(self.matcher.registry.order.feeders[derivation.id]):
                unfinished.add(derivation.id)  # the rest of its feeders would compute it again
            elif count := pending.count(connection, refresh.plan.routes):
                size = self.pace.size(derivation.id, refresh.first_objects, refresh.max_objects)
                step = self._step(connection, derivation, refresh, count, size)
                runs += self._record(connection, derivation, step)
                more = more or bool(step.done.left)
                if step.done.left and len(step.done.objects) >= size:
                    urgent = min(urgent, self._urgency(derivation))
                    unfinished.add(derivation.id)
                if step.done.written:  # which may be what those to come read
                    pending = pending_touches(connection)
        return RefreshStep(runs, more, is_blocked=more and not runs)

    def _step(
        self, connection: Connection, derivation: RegisteredDerivation, refresh: SetRefresh, touches: int, limit: int
    ) -> _TimedStep:
        began = time.perf_counter()
        done = refresh.step(connection, touches, limit, self.clock.now())
        seconds = self.pace.note(derivation.id, limit, len(done.objects), time.perf_counter() - began)
        return _TimedStep(done, seconds)

    def _carefully(self, connection: Connection) -> RefreshStep:
        """Refresh in ever smaller sets where something fails, and set aside the objects that fail alone."""
        runs: EndedRuns = []
        for derivation, refresh in self._touched(connection):
            runs += self._bisected(connection, derivation, refresh)
        return RefreshStep(runs, more=True)

    def _touched(self, connection: Connection) -> Iterator[tuple[RegisteredDerivation, SetRefresh]]:
        """Yield what has touches, all followed. Those of readers may be written while their feeders are refreshed."""
        for derivation, refresh in self._mine(connection):
            if pending_touches(connection).count(connection, refresh.plan.routes):
                self._gather(connection, derivation, refresh)
                yield derivation, refresh

    def _gather(self, connection: Connection, derivation: RegisteredDerivation, refresh: SetRefresh) -> None:
        """Follow all touches. If any can't be read, as after a migration, all objects are touched in their place."""
        try:
            with self.matcher.database.part(connection):
                refresh.gather(connection)
        except DBAPIError as error:
            if self.matcher.database.is_its_own(error):
                raise
            forget_touches(connection, [derivation.name])
            self.matcher.registry.restart_backfill(connection, derivation)

    def _bisected(self, connection: Connection, derivation: RegisteredDerivation, refresh: SetRefresh) -> EndedRuns:
        runs: EndedRuns = []
        limit = refresh.max_objects
        for _ in range(MAX_TRIES):
            try:
                with self.matcher.database.part(connection):
                    step = self._step(connection, derivation, refresh, limit, limit)
            except DBAPIError as error:
                if self.matcher.database.is_not_the_jobs(error):
                    raise
                if limit == 1:
                    self._set_aside(connection, derivation, refresh.set_aside(connection, 1))
                limit = max(1, limit // 2)
            else:
                runs += self._record(connection, derivation, step)
                if not step.done.left:
                    break
                limit = min(refresh.max_objects, limit * 2)
        return runs

    def _record(self, connection: Connection, derivation: RegisteredDerivation, step: _TimedStep) -> EndedRuns:
        """Record what a step has left: objects without a fitting value, or all that there are. Return the runs."""
        done = step.done
        if done.whole:
            self.matcher.registry.restart_backfill(connection, derivation)
        if done.refused:
            self._set_aside(connection, derivation, done.refused)
        self._forget_aside(connection, derivation, done.computed)
        if not done.computed:
            return []
        source = self.installation, f"{derivation.name} {self.clock.now()}"
        run = Run(source, derivation.name, None, NO_LANE, 1, source="cache")
        return [(run, SucceededTogether(derivation.declaration.root, done.computed, step.seconds))]

    def _forget_aside(
        self, connection: Connection, derivation: RegisteredDerivation, keys: Sequence[PrimaryKey]
    ) -> None:
        """Drop the caches of objects that were set aside and are right now."""
        aside = {row[0] for row in _ASIDE.execute(connection, {"of": derivation.id})}
        if not aside:
            return
        if back := aside.intersection(derivation.name_with(connection, key) for key in keys):
            rows = self.matcher.cache_rows
            rows.drop(connection, list(rows.numbers(connection, derivation, sorted(back)).values()))

    def _set_aside(self, connection: Connection, derivation: RegisteredDerivation, keys: Sequence[PrimaryKey]) -> None:
        """Give objects caches that run alone, or have failed if they can't. They stay until a refresh succeeds."""
        roots, unnamed = _roots_of(connection, derivation, keys)
        rows, now, cause = self.matcher.cache_rows, self.clock.now(), cause_text(Cause("aside"))
        rows.fail(connection, derivation, unnamed, now)
        rows.add(connection, derivation, roots, now)
        numbers = rows.numbers(connection, derivation, roots).values()
        entries = [DueEntry(number, derivation.id, now, now, cause) for number in numbers]
        self.matcher.due_queue.enqueue(connection, entries)


def _roots_of(
    connection: Connection, derivation: RegisteredDerivation, keys: Sequence[PrimaryKey]
) -> tuple[list[str], list[UnnamedObject]]:
    """Return the external ids of the objects with these keys, and the objects that have none."""
    named: list[str] = []
    unnamed: list[UnnamedObject] = []
    for key in keys:
        try:
            named.append(derivation.root_with(connection, key))
        except UnnamedObject as error:
            unnamed.append(error)
    return named, unnamed


def _key_at(position: str | None) -> Sequence[str] | None:
    """Return the key that is kept as a position."""
    return None if position is None else json.loads(position)


def _position_of(chunk: Chunk) -> str | None:
    return None if chunk.position is None else json.dumps(chunk.position)
