"""What a server does next about its caches: which stale ones it runs, and when filling has its turn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from afterwork.manifest.definitions import Definition, Order
from afterwork.manifest.due import Waiting

PATIENCE = timedelta(seconds=2)
"""So long a cache waits at most for others, that are more urgent or write what it reads and never come to rest."""

FILL_EVERY = 10
"""Where stale caches never run out, so many batches are run for one of filling."""


@dataclass(frozen=True)
class Runs:
    """The first due caches of a definition are to run; `fill` says that it is those that are to be filled."""

    definition: Definition
    fill: bool


@dataclass(frozen=True)
class Adds:
    """The next chunk of caches to be filled is to be added to those that are due."""

    definition: Definition


Turn = Runs | Adds


@dataclass(frozen=True)
class Look:
    """What waits at a moment, of definitions that this server runs."""

    waiting: Mapping[int, Waiting]
    known: Mapping[int, Definition]
    order: Order
    now: datetime

    def turn(self, fill_first: bool) -> Turn | None:
        """What comes next; None if nothing does before another moment. What is stale goes before what is to be filled,
        unless `fill_first` says that this has waited long enough."""
        if fill_first:
            return self._filling(self._is_being_filled) or self._adding() or self._due()
        if (found := self._due() or self._filling(self._is_unsettled)) is not None:
            return found
        return None if any(one.claimed for one in self.waiting.values()) else self._adding()

    @property
    def has_to_fill(self) -> bool:
        """Whether something is to be filled."""
        return any(not one.filled or self._is_unfilled(number) for number, one in self.waiting.items())

    @property
    def next_moment(self) -> datetime | None:
        """The first moment at which something is due."""
        moments = (moment for one in self.waiting.values() for moment in (one.due, one.fill) if moment is not None)
        return min(moments, default=None)

    def _due(self) -> Runs | None:
        """The most urgent one of those that are stale and wait for no other."""
        due = {number: found for number in self._ranked if (found := self.waiting[number].due) and found <= self.now}
        impatient = [number for number in due if due[number] <= self.now - PATIENCE]
        if impatient:
            return Runs(self.known[min(impatient, key=due.__getitem__)], fill=False)
        first = next(filter(self._is_free, due), None)
        return None if first is None else Runs(self.known[first], fill=False)

    def _is_free(self, number: int) -> bool:
        """Whether no feeder holds up what is stale. As long as it is being filled itself, its feeders are filled
        first: what they write makes it stale again."""
        holds_up = self._is_busy if self.waiting[number].filled else self._is_unsettled
        return not any(map(holds_up, self.order.feeders[number]))

    def _filling(self, holds_up: Callable[[int], bool]) -> Runs | None:
        """The most urgent one of those that are to be filled, and that no feeder holds up."""
        unfilled = filter(self._is_unfilled, self._ranked)
        free = (number for number in unfilled if not any(map(holds_up, self.order.feeders[number])))
        first = next(free, None)
        return None if first is None else Runs(self.known[first], fill=True)

    def _adding(self) -> Adds | None:
        """The next chunk of one that no feeder holds up: of each, one chunk after the other, and none while what has
        been added of others can go on."""
        unfilled = (number for number in self._ranked if not self.waiting[number].filled)
        idle = (number for number in unfilled if self.waiting[number].fill is None)
        free = (number for number in idle if not any(map(self._is_being_filled, self.order.feeders[number])))
        first = next(free, None)
        return None if first is None else Adds(self.known[first])

    @property
    def _ranked(self) -> list[int]:
        return sorted(self.waiting, key=self.order.rank.__getitem__)

    def _is_busy(self, number: int) -> bool:
        found = self.waiting.get(number)
        return found is not None and (found.claimed or (found.due is not None and found.due <= self.now))

    def _is_unfilled(self, number: int) -> bool:
        found = self.waiting.get(number)
        return found is not None and found.fill is not None and found.fill <= self.now

    def _is_being_filled(self, number: int) -> bool:
        found = self.waiting.get(number)
        return found is not None and (not found.filled or self._is_unfilled(number))

    def _is_unsettled(self, number: int) -> bool:
        return self._is_busy(number) or self._is_being_filled(number)


@dataclass
class Turns:
    """Whose turn it is, as one server has run so far."""

    since_filling: int = 0

    def next(self, look: Look) -> Turn | None:
        """What comes next; None if nothing does."""
        return look.turn(fill_first=look.has_to_fill and self.since_filling >= FILL_EVERY)

    def ran(self, turn: Runs) -> None:
        """A batch has been run."""
        self.since_filling = 0 if turn.fill else self.since_filling + 1

    def gives_way(self) -> bool:
        """Another server is just adding what is to be filled. Whether something else comes before that now."""
        waited, self.since_filling = self.since_filling, 0
        return waited >= FILL_EVERY
