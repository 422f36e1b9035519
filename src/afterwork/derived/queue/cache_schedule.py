"""The next step of a server for its caches: run stale ones, add to a backfill, or release blocked ones."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from afterwork.derived.queue.derivation_order import DerivationOrder
from afterwork.derived.queue.due_cache import WAITING, DueSummary
from afterwork.derived.queue.registered_derivation import RegisteredDerivation

MAX_WAIT = timedelta(seconds=2)
"""Longest wait for more urgent caches, or for feeders that never become idle."""

BATCHES_PER_BACKFILL = 10
"""Batches of stale caches that run for one batch of the backfill, where stale caches never run out."""

BATCHES_PER_RELEASE = 10
"""Batches after which the lowest blocked caches are released, though the server never becomes idle."""


@dataclass(frozen=True)
class RunStep:
    """Run the first due caches of a derivation; with `is_backfill`, those of its backfill."""

    derivation: RegisteredDerivation
    is_backfill: bool


@dataclass(frozen=True)
class BackfillStep:
    """Add the next chunk of a backfill to the due caches."""

    derivation: RegisteredDerivation


@dataclass(frozen=True)
class ReleaseStep:
    """Release blocked caches of a cycle of derivations."""

    cycle: Collection[int]


QueueStep = RunStep | BackfillStep | ReleaseStep


@dataclass(frozen=True)
class QueueState:
    """The waiting caches, by derivation, of those that this server runs.

    `blocked` has the derivations with blocked caches, each with the first due time among those: the lowest level.
    """

    summaries: Mapping[int, DueSummary]
    blocked: Mapping[int, datetime]
    known: Mapping[int, RegisteredDerivation]
    order: DerivationOrder
    now: datetime
    untried: Collection[int] = ()
    """Derivations of which no run is known, and so neither what they read nor what they write."""

    def next_step(self, backfill_first: bool) -> QueueStep | None:
        """Return the next step; None if nothing is due now.

        Stale caches go before the backfill, unless `backfill_first` says that it has waited long enough.
        """
        if backfill_first:
            return self._run_backfill(self._is_in_backfill) or self._add_chunk() or self._run_stale()
        step = self._run_stale() or self._try_unknown() or self._run_backfill(self._is_unfinished)
        if step is not None:
            return step
        if any(summary.claimed for summary in self.summaries.values()):
            return None
        return self._add_chunk() or self._release(self._is_at_rest)

    @property
    def release_lowest(self) -> ReleaseStep | None:
        """The release of the lowest blocked level, whatever else is due; not of caches that wait for certain others."""
        return self._release(lambda derivation: self.blocked[derivation] < WAITING)

    @property
    def has_backfill(self) -> bool:
        return any(
            not summary.backfilled or self._has_due_backfill(derivation)
            for derivation, summary in self.summaries.items()
        )

    @property
    def next_due(self) -> datetime | None:
        due_times = [due for summary in self.summaries.values() for due in (summary.due, summary.backfill)]
        return min((*filter(None, due_times), *(self.now for _ in self.blocked)), default=None)

    # The steps that are possible.

    def _run_stale(self) -> RunStep | None:
        """Return the step for the most urgent derivation that no feeder holds up, or for the one overdue longest."""
        due = {
            derivation: first
            for derivation in self._ranked
            if (first := self.summaries[derivation].due) and first <= self.now
        }
        overdue = [derivation for derivation in due if due[derivation] <= self.now - MAX_WAIT]
        if overdue:
            return RunStep(self.known[min(overdue, key=due.__getitem__)], is_backfill=False)
        chosen = next(filter(self._is_ready, due), None)
        return None if chosen is None else RunStep(self.known[chosen], is_backfill=False)

    def _try_unknown(self) -> RunStep | BackfillStep | None:
        """Return the step towards the first runs of a derivation in backfill: they show what must run before what."""
        untried = list(filter(self.untried.__contains__, self._ranked))
        due = next(filter(self._has_due_backfill, untried), None)
        if due is not None:
            return RunStep(self.known[due], is_backfill=True)
        dry = next(filter(self._is_dry, untried), None)
        if dry is None or any(summary.claimed for summary in self.summaries.values()):
            return None
        return BackfillStep(self.known[dry])

    def _run_backfill(self, holds_up: Callable[[int], bool]) -> RunStep | None:
        """Return the step for the most urgent backfill whose feeders don't hold it up."""
        for derivation in filter(self._has_due_backfill, self._ranked):
            if not any(map(holds_up, self.order.feeders[derivation])):
                return RunStep(self.known[derivation], is_backfill=True)
        return None

    def _add_chunk(self) -> BackfillStep | None:
        """Return the step that adds a chunk to the most urgent dry backfill whose feeders are complete."""
        for derivation in self._ranked:
            if self._is_dry(derivation) and not any(map(self._is_in_backfill, self.order.feeders[derivation])):
                return BackfillStep(self.known[derivation])
        return None

    def _release(self, may: Callable[[int], bool]) -> ReleaseStep | None:
        """Return the step that releases the cycle with the lowest blocked level, of those that `may` be released."""
        for derivation in sorted(self.blocked, key=self.blocked.__getitem__):
            if may(derivation):
                return ReleaseStep(self.order.cycle(derivation))
        return None

    @property
    def _ranked(self) -> list[int]:
        return sorted(self.summaries, key=self.order.rank.__getitem__)

    # The state of a derivation.

    def _is_ready(self, derivation: int) -> bool:
        """Return whether no feeder holds up the stale caches.

        During a derivation's own backfill, its feeders are backfilled first: what they write makes it stale again.
        """
        holds_up = self._is_busy if self.summaries[derivation].backfilled else self._is_unfinished
        return not any(map(holds_up, self.order.feeders[derivation]))

    def _is_at_rest(self, derivation: int) -> bool:
        """Return whether all that is left of a cycle is blocked."""
        return not any(self._goes_on(mate) for mate in self.order.cycle(derivation))

    def _goes_on(self, derivation: int) -> bool:
        summary = self.summaries.get(derivation)
        return summary is not None and (
            not summary.backfilled or self._is_due(summary) or self._has_due_backfill(derivation)
        )

    def _is_unfinished(self, derivation: int) -> bool:
        return self._is_busy(derivation) or self._is_in_backfill(derivation)

    def _is_busy(self, derivation: int) -> bool:
        summary = self.summaries.get(derivation)
        return summary is not None and (self._is_due(summary) or derivation in self.blocked)

    def _is_in_backfill(self, derivation: int) -> bool:
        summary = self.summaries.get(derivation)
        return summary is not None and (not summary.backfilled or self._has_due_backfill(derivation))

    def _is_dry(self, derivation: int) -> bool:
        summary = self.summaries[derivation]
        return not summary.backfilled and summary.backfill is None

    def _has_due_backfill(self, derivation: int) -> bool:
        summary = self.summaries.get(derivation)
        return summary is not None and summary.backfill is not None and summary.backfill <= self.now

    def _is_due(self, summary: DueSummary) -> bool:
        return summary.claimed or (summary.due is not None and summary.due <= self.now)


@dataclass
class CacheSchedule:
    """The turns of stale caches, backfills and blocked caches, as one server has given them so far."""

    batches_since_backfill: int = 0
    batches_since_release: int = 0

    def next(self, state: QueueState) -> QueueStep | None:
        """Return the next step; None if nothing is due."""
        if not state.blocked:
            self.batches_since_release = 0
        if self.is_release_due and (step := state.release_lowest) is not None:
            return step
        is_backfill_due = self.batches_since_backfill >= BATCHES_PER_BACKFILL
        return state.next_step(backfill_first=state.has_backfill and is_backfill_due)

    def ran(self, step: RunStep) -> None:
        self.batches_since_backfill = 0 if step.is_backfill else self.batches_since_backfill + 1
        self.batches_since_release += 1

    @property
    def is_release_due(self) -> bool:
        """True if blocked caches have waited for enough batches to take their place behind the due ones."""
        return self.batches_since_release >= BATCHES_PER_RELEASE

    def tried_release(self, *, is_released: bool) -> None:
        """Note a release; where blocked caches must wait for what has just changed, it is tried again."""
        self.batches_since_release = 0 if is_released else self.batches_since_release + 1

    def skips_backfill(self) -> bool:
        """Note that another server just adds to a backfill. True if its turn goes to something else now."""
        waited, self.batches_since_backfill = self.batches_since_backfill, 0
        return waited >= BATCHES_PER_BACKFILL
