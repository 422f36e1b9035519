"""Recompute the few caches that read a small change in the transaction that takes it.

Nothing is claimed, nobody has to come back, and if the transaction is lost, it is as if it had not been begun. But
whoever takes changes meanwhile waits, and on SQLite whoever writes. So this is only for what is known to be quick; all
else goes to the queue. And so does what can't be made this way, whatever the reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from afterwork.boundary import CONTAINED
from afterwork.clock import Clock
from afterwork.derived.compute.calculators import Calculators
from afterwork.derived.compute.result_store import ResultStore
from afterwork.derived.compute.results import (
    UNSENDABLE,
    CalculationResult,
    Limited,
    RunOf,
    StoreContext,
    ran,
    unless_cyclic,
)
from afterwork.derived.compute.sql_calculator import SqlCalculator
from afterwork.derived.matching.matcher import JOURNAL, Matched, Matcher
from afterwork.derived.queue.due_cache import ClaimedCache, DueEntry, blocked_due
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import AfterworkError, Escaped, NotInline, RowNotFound, TimedOut, TransactionIsTheRuns
from afterwork.jobs.run import text_of
from afterwork.jobs.source import EndedRuns
from afterwork.jobs.time_limits import TimeLimits, leave_it
from afterwork.model.derivation import MemberDerivation
from afterwork.store.caches.manifests import Affected

NEVER_RUN_SECONDS = float("inf")
"""The expected duration of a calculation that has never run."""

MAX_DURATION = timedelta(seconds=1)
"""The time limit of a calculation that was quick before, and of the commit of its value. The queue, which holds up
nobody, gives both their full time."""

AffectedEntries = Sequence[tuple[Affected, DueEntry]]
"""Affected caches, each with its entry in the queue."""


@dataclass(frozen=True)
class InlineStep:
    """The result of taking changes once. `more` says that the journal may hold others."""

    ran: EndedRuns
    more: bool


@dataclass(frozen=True)
class InlineRecomputation:
    """Takes changes. Calculations that last up to `max_seconds` are made in the same transaction."""

    matcher: Matcher
    result_store: ResultStore
    calculators: Calculators
    clock: Clock
    run_of: RunOf
    max_seconds: float
    time_limits: TimeLimits
    in_progress: set[int] = field(default_factory=set)
    """The derivation being calculated, by its number, and those that abandoned threads still calculate."""

    def take(self, connection: Connection) -> InlineStep:
        """Take changes, and recompute or enqueue the caches that have read them."""
        if self.max_seconds:
            try:
                with CONTAINED:
                    return self._take(connection)
            except (NotInline, RowNotFound, Escaped, TimedOut, SQLAlchemyError, *UNSENDABLE) as error:
                if self.matcher.database.is_lost(error):
                    raise
        return self.take_and_enqueue(connection)

    def take_and_enqueue(self, connection: Connection) -> InlineStep:
        """Take changes, and enqueue the caches that have read them."""
        return InlineStep([], self.matcher.match(connection, self.clock.now()))

    def _take(self, connection: Connection) -> InlineStep:
        matcher, now = self.matcher, self.clock.now()
        matched: Matched | None = None
        first = matcher.entries.to_take
        try:
            with matcher.database.light_watched_transaction(connection, first, lambda: MAX_DURATION) as snapshot:
                matched = matcher.take(connection, now)
                if matched is None:
                    return InlineStep([], False)
                chosen = self._choose(connection, matched, now)
                derivation = matcher.registry.by_id[chosen[0][0].derivation] if chosen else None
                stored: list[CalculationResult] = []
                if derivation is not None:
                    limited = self._limits(connection, derivation)
                    stored = self._recompute(StoreContext(connection, derivation, snapshot, now, limited), chosen)
                done = {result.cache for result in stored}
                matcher.note(
                    connection, matched, [entry for cache, entry in matched.due if cache.cache not in done], now
                )
                work = JOURNAL if derivation is None else derivation.name
                matcher.reached("before commit", work)
        except TransactionIsTheRuns:
            if matched is None:
                raise
            return self._enqueue_only(connection, matched, now)
        matcher.reached("after commit", work)
        runs = [] if derivation is None else ran(stored, derivation, self.run_of)
        return InlineStep(runs, matched.more or any(result.is_new for result in stored))

    def _enqueue_only(self, connection: Connection, matched: Matched, now: datetime) -> InlineStep:
        """Mark after a function has ended the transaction: the changes taken in it may have left the journal."""
        with self.matcher.database.light_transaction(connection, self.matcher.entries.to_take):
            self.matcher.note(connection, matched, [entry for _, entry in matched.due], now)
        return InlineStep([], True)

    def _choose(self, connection: Connection, matched: Matched, now: datetime) -> AffectedEntries:
        """Return the caches to recompute now, all of one derivation: the one that waits for no other."""
        # Then other caches are due or claimed, or changes are left: the values read here may still be about to change.
        if matched.busy or matched.more:
            return []
        known, order = self.matcher.registry.mine, self.matcher.registry.order
        due = [(cache, entry) for cache, entry in matched.due if entry.due <= now and cache.derivation in known]
        ready = _lowest(due, matched.levels)
        first = min({cache.derivation for cache, _ in ready}, key=order.rank.__getitem__, default=None)
        if first is None or not isinstance(known[first].declaration, MemberDerivation) or first in self.in_progress:
            return []
        if any(cache.derivation in order.feeders[first] for cache, _ in ready):
            return []
        chosen = [(cache, entry) for cache, entry in ready if cache.derivation == first]
        if self._are_lower_blocked(connection, first, max(matched.levels.get(cache.cache, 0) for cache, _ in chosen)):
            return []
        expected = sum(NEVER_RUN_SECONDS if cache.took is None else cache.took for cache, _ in chosen)
        return chosen if expected <= self.max_seconds else []

    def _are_lower_blocked(self, connection: Connection, derivation: int, level: int) -> bool:
        """Return whether caches of a lower level are blocked, from which those of this level may be made."""
        if not level:
            return False
        blocked = self.matcher.due_queue.blocked(connection)
        cycle = self.matcher.registry.order.cycle(derivation)
        return any(blocked[mate] < blocked_due(level) for mate in cycle & blocked.keys())

    def _recompute(self, context: StoreContext, chosen: AffectedEntries) -> list[CalculationResult]:
        claimed = [_claimed(cache, entry) for cache, entry in chosen]
        enqueued = [cache.cache for cache, _ in chosen if cache.is_enqueued]
        self.in_progress.add(context.derivation.id)
        try:
            results = self._results(context, claimed)
            self.matcher.reached("ran", context.derivation.name)
            return self.result_store.store_inline(context, results, enqueued)
        finally:
            self.in_progress.discard(context.derivation.id)

    def _results(self, context: StoreContext, claimed: Sequence[ClaimedCache]) -> list[CalculationResult]:
        try:
            results = [
                unless_cyclic(context.connection, result, self.matcher.registry)
                for result in self._calculate(context, claimed)
            ]
        except (SQLAlchemyError, AfterworkError):
            raise
        except Exception as error:  # of a row that can't be read: the queue finds out which one
            raise NotInline(text_of(error)) from error
        for result in results:
            if isinstance(result.error, DBAPIError | TimedOut):
                raise result.error
        return results

    def _calculate(self, context: StoreContext, claimed: Sequence[ClaimedCache]) -> Iterator[CalculationResult]:
        limited = context.limited
        match self.calculators.fastest(context.derivation):
            case SqlCalculator() as calculator:
                yield from calculator.calculate_inline(context.connection, claimed, limited)
            case calculator:
                with self.matcher.database.reading_part(context.connection):
                    yield from calculator.calculate(context.connection, claimed, self.max_seconds, limited)
                    self.matcher.database.check_in_transaction(context.connection)

    def _limits(self, connection: Connection, derivation: RegisteredDerivation) -> Limited:
        """Return the time limit of inline calculations. If one is abandoned, the changes return to the journal."""
        declared = self.time_limits.of_calculation(derivation.declaration.timeout)
        timeout = MAX_DURATION if declared is None else min(declared, MAX_DURATION)
        return lambda caches: self.time_limits.over(connection, self.run_of(derivation, caches[0]), timeout, leave_it)


def _lowest(due: AffectedEntries, levels: Mapping[int, int]) -> AffectedEntries:
    """Leave out the caches of higher levels, which are made from others that may change. Outside of cycles, there are
    no levels."""
    lowest = min((levels[cache.cache] for cache, _ in due if cache.cache in levels), default=0)
    return [(cache, entry) for cache, entry in due if levels.get(cache.cache, lowest) == lowest]


def _claimed(cache: Affected, entry: DueEntry) -> ClaimedCache:
    reread = entry.reread or cache.is_enqueued  # what it waits for may be a reason to read again
    return ClaimedCache(
        cache.cache, cache.root, cache.digest, cache.runs, entry.cause, entry.cause_cache, entry.depth, entry.attempts,
        reread, entry.since,
    )  # fmt: skip
