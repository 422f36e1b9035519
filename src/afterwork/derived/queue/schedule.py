"""What a server does next about its caches: which stale ones it runs, and when filling has its turn."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from afterwork.derived.queue.due_queue import WAITING, DueSummary
from afterwork.derived.queue.registry import DerivationOrder, RegisteredDerivation

PATIENCE = timedelta(seconds=2)
"""So long a cache waits at most for others, that are more urgent or write what it reads and never come to rest."""

FILL_EVERY = 10
"""Where stale caches never run out, so many batches are run for one of filling."""


FREE_EVERY = 10
"""After so many batches without a rest, the lowest of those that are held takes a place behind what is due by then."""


@dataclass(frozen=True)
class RunStep:
    """The first due caches of a definition are to run; `fill` says that it is those that are to be filled."""

    derivation: RegisteredDerivation
    is_backfill: bool


@dataclass(frozen=True)
class BackfillStep:
    """The next chunk of caches to be filled is to be added to those that are due."""

    derivation: RegisteredDerivation


@dataclass(frozen=True)
class ReleaseStep:
    """Of a circle of definitions, caches that are held are to run."""

    cycle: Collection[int]


QueueStep = RunStep | BackfillStep | ReleaseStep


@dataclass(frozen=True)
class QueueState:
    """What waits at a moment, of definitions that this server runs; and of which definitions something is held, each
    with the first of these in their order."""

    waiting: Mapping[int, DueSummary]
    held: Mapping[int, datetime]
    known: Mapping[int, RegisteredDerivation]
    order: DerivationOrder
    now: datetime

    def next_step(self, fill_first: bool) -> QueueStep | None:
        """What comes next; None if nothing does before another moment. What is stale goes before what is to be filled,
        unless `fill_first` says that this has waited long enough."""
        if fill_first:
            return self._filling(self._is_being_filled) or self._adding() or self._due()
        if (found := self._due() or self._filling(self._is_unsettled)) is not None:
            return found
        if any(one.claimed for one in self.waiting.values()):
            return None
        return self._adding() or self._freeing(self._is_at_rest)

    @property
    def lowest_held(self) -> ReleaseStep | None:
        """The lowest of those that are held, whatever else is to be done; not what waits for certain others."""
        return self._freeing(lambda number: self.held[number] < WAITING)

    def _freeing(self, may: Callable[[int], bool]) -> ReleaseStep | None:
        free = (number for number in sorted(self.held, key=self.held.__getitem__) if may(number))
        first = next(free, None)
        return None if first is None else ReleaseStep(self.order.cycle(first))

    def _is_at_rest(self, number: int) -> bool:
        """Whether all that is left of a circle is held."""
        return not any(self._goes_on(mate) for mate in self.order.cycle(number))

    def _goes_on(self, number: int) -> bool:
        found = self.waiting.get(number)
        return found is not None and (not found.backfilled or self._is_due(found) or self._is_unfilled(number))

    def _is_due(self, found: DueSummary) -> bool:
        return found.claimed or (found.due is not None and found.due <= self.now)

    @property
    def has_to_fill(self) -> bool:
        """Whether something is to be filled."""
        return any(not one.backfilled or self._is_unfilled(number) for number, one in self.waiting.items())

    @property
    def next_moment(self) -> datetime | None:
        """The first moment at which something is due."""
        moments = (moment for one in self.waiting.values() for moment in (one.due, one.backfill) if moment is not None)
        return min((*moments, *(self.now for _ in self.held)), default=None)

    def _due(self) -> RunStep | None:
        """The most urgent one of those that are stale and wait for no other."""
        due = {number: found for number in self._ranked if (found := self.waiting[number].due) and found <= self.now}
        impatient = [number for number in due if due[number] <= self.now - PATIENCE]
        if impatient:
            return RunStep(self.known[min(impatient, key=due.__getitem__)], is_backfill=False)
        first = next(filter(self._is_free, due), None)
        return None if first is None else RunStep(self.known[first], is_backfill=False)

    def _is_free(self, number: int) -> bool:
        """Whether no feeder holds up what is stale. As long as it is being filled itself, its feeders are filled
        first: what they write makes it stale again."""
        holds_up = self._is_busy if self.waiting[number].backfilled else self._is_unsettled
        return not any(map(holds_up, self.order.feeders[number]))

    def _filling(self, holds_up: Callable[[int], bool]) -> RunStep | None:
        """The most urgent one of those that are to be filled, and that no feeder holds up."""
        unfilled = filter(self._is_unfilled, self._ranked)
        free = (number for number in unfilled if not any(map(holds_up, self.order.feeders[number])))
        first = next(free, None)
        return None if first is None else RunStep(self.known[first], is_backfill=True)

    def _adding(self) -> BackfillStep | None:
        """The next chunk of one that no feeder holds up: of each, one chunk after the other, and none while what has
        been added of others can go on."""
        unfilled = (number for number in self._ranked if not self.waiting[number].backfilled)
        idle = (number for number in unfilled if self.waiting[number].backfill is None)
        free = (number for number in idle if not any(map(self._is_being_filled, self.order.feeders[number])))
        first = next(free, None)
        return None if first is None else BackfillStep(self.known[first])

    @property
    def _ranked(self) -> list[int]:
        return sorted(self.waiting, key=self.order.rank.__getitem__)

    def _is_busy(self, number: int) -> bool:
        found = self.waiting.get(number)
        return found is not None and (self._is_due(found) or number in self.held)

    def _is_unfilled(self, number: int) -> bool:
        found = self.waiting.get(number)
        return found is not None and found.backfill is not None and found.backfill <= self.now

    def _is_being_filled(self, number: int) -> bool:
        found = self.waiting.get(number)
        return found is not None and (not found.backfilled or self._is_unfilled(number))

    def _is_unsettled(self, number: int) -> bool:
        return self._is_busy(number) or self._is_being_filled(number)


@dataclass
class Schedule:
    """Whose turn it is, as one server has run so far."""

    since_filling: int = 0
    since_freeing: int = 0

    def next(self, look: QueueState) -> QueueStep | None:
        """What comes next; None if nothing does."""
        if not look.held:
            self.since_freeing = 0
        if self.frees_anyway and (found := look.lowest_held) is not None:
            return found
        return look.next_step(fill_first=look.has_to_fill and self.since_filling >= FILL_EVERY)

    def ran(self, turn: RunStep) -> None:
        """A batch has been run."""
        self.since_filling = 0 if turn.is_backfill else self.since_filling + 1
        self.since_freeing += 1

    @property
    def frees_anyway(self) -> bool:
        """Whether what is held has waited for so long that it takes its place behind what is due."""
        return self.since_freeing >= FREE_EVERY

    def freed(self, is_free: bool) -> None:
        """What was held has been let go, or has to wait for what has just changed."""
        self.since_freeing = 0 if is_free else self.since_freeing + 1

    def gives_way(self) -> bool:
        """Another server is just adding what is to be filled. Whether something else comes before that now."""
        waited, self.since_filling = self.since_filling, 0
        return waited >= FILL_EVERY
