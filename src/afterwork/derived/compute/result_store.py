"""Store the results of calculations in a short transaction of their own.

While a value is calculated, nothing is locked. Whatever changes meanwhile is found when the value is written: the
journal keeps aside what a calculation in flight may not have seen, so the cache is born stale, and runs again.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from afterwork.derived.compute.next_runs import NextRuns
from afterwork.derived.compute.read_keys import ReadKeys
from afterwork.derived.compute.recomputation import Recomputation
from afterwork.derived.compute.result_columns import ResultColumns
from afterwork.derived.compute.results import CalculationResult, without
from afterwork.derived.manifest.manifest_store import digest
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_rows import RunResult
from afterwork.derived.queue.cycle_levels import MAX_EARLY_RUNS, RowOrder
from afterwork.derived.queue.due_cache import ClaimedBatch
from afterwork.derived.queue.feeders import FeederRun
from afterwork.jobs.outcome import text_of

LOCKED_PAUSE = timedelta(milliseconds=100)
"""How long a value waits whose row somebody else has locked."""

NO_ORDER = RowOrder({}, {})
"""The order of derivations that are in no cycle."""

Manifests = Mapping[int, set[int]]
"""Read keys by cache."""


@dataclass(frozen=True)
class ResultStore:
    """Stores results: the values that are new, the manifests that differ, and the row of each run."""

    matcher: Matcher
    columns: ResultColumns
    read_keys: ReadKeys
    next_runs: NextRuns

    def store(
        self, run: Recomputation, batch: ClaimedBatch, results: Sequence[CalculationResult]
    ) -> list[CalculationResult]:
        """Store the results of a claimed batch and end its claims.

        Returns what was stored: another server may have taken over some, and others have locked rows or ran too early.
        Those go back to the queue.
        """
        results = self.columns.settled(run.connection, run.derivation, results)
        run.connection.commit()
        known_feeders = self.matcher.registry.order.direct[run.derivation.id]
        manifests = self.read_keys.of_results(run, results)
        with self.matcher.database.transaction(run.connection, self.matcher.entries.to_end):
            locked = self.columns.locked(run, results)
            ready = without(results, locked)
            order = self._order(run, known_feeders, ready)
            in_time = without(ready, order.early)
            ended = self.matcher.due_queue.end(run.connection, batch, [result.cache for result in in_time])
            stored = [result for result in in_time if result.cache in ended]
            self._write(run, stored, manifests)
            self._mark(run, stored, self._born_stale(run, stored, manifests))
            self._settle_unseen(run, stored)
            if self.matcher.registry.order.cycle(run.derivation.id):
                self._note_order(run, batch, order, ended)
            self._put_back_rest(run, batch, ended, LOCKED_PAUSE if locked else timedelta(0))
            self.matcher.reached("before commit", run.derivation.name)
        self.matcher.reached("after commit", run.derivation.name)
        return stored

    def store_inline(
        self, run: Recomputation, results: Sequence[CalculationResult], waiting: Collection[int]
    ) -> list[CalculationResult]:
        """Store results that nobody has claimed, in the transaction in which they were calculated.

        Nobody takes changes meanwhile. `waiting` are the caches with a mark in the queue.
        Raises `NotAtOnce` if something must be noted first in a transaction of its own.
        """
        manifests = self.read_keys.known_of_results(run, results)
        results = self.columns.settled(run.connection, run.derivation, results)
        locked = self.columns.locked(run, results)
        stored = without(results, locked)
        self._write(run, stored, manifests)
        self.matcher.due_queue.drop(run.connection, set(waiting) - set(locked))
        self._mark(run, stored, {})
        self._settle_unseen(run, stored)
        if self.matcher.registry.order.cycle(run.derivation.id):
            self.matcher.levels.release(run.connection, [result.cache for result in stored], run.now)
        return stored

    def _write(self, run: Recomputation, results: Sequence[CalculationResult], manifests: Manifests) -> None:
        self.columns.write(run, results)
        digests = {result.cache: _digest(result, manifests) for result in results}
        rows = [_row(run, result, digests[result.cache]) for result in results]
        self.matcher.cache_rows.ran(run.connection, rows)
        changed = {
            result.cache: manifests[result.cache]
            for result in results
            if result.cache in manifests and digests[result.cache] != result.claimed.digest
        }
        if changed:
            self.matcher.manifest_store.save(run.connection, changed)

    def _born_stale(
        self, run: Recomputation, results: Sequence[CalculationResult], manifests: Manifests
    ) -> Mapping[int, str]:
        read_keys = {result.cache: manifests.get(result.cache) for result in results}
        return self.next_runs.born_stale(run.connection, run.snapshot, read_keys)

    def _mark(self, run: Recomputation, results: Sequence[CalculationResult], stale: Mapping[int, str]) -> None:
        self.matcher.due_queue.mark(run.connection, self.next_runs.marks(run, results, stale))

    def _settle_unseen(self, run: Recomputation, results: Sequence[CalculationResult]) -> None:
        """Drop the caches of objects that are gone; those of hidden objects rest until they may be seen again."""
        unseen = [result.claimed.root for result in results if result.root is None]
        if unseen:
            self.matcher.cache_rows.settle(run.connection, run.derivation, unseen, run.now)

    def _order(self, run: Recomputation, known_feeders: Set[int], results: Sequence[CalculationResult]) -> RowOrder:
        """Find the results that have read values which are still to be made.

        Only those of its own cycle of derivations can be, and of feeders that became known by this very run.
        """
        registry = self.matcher.registry
        cycle = registry.order.cycle(run.derivation.id)
        writers = cycle | (registry.order.direct[run.derivation.id] - known_feeders)
        if not writers:
            return NO_ORDER
        runs = [
            FeederRun(result.cache, result.reads, result.is_new, result.claimed.waited >= MAX_EARLY_RUNS)
            for result in results
            if result.reads is not None
        ]
        feeders = [registry.by_id[writer] for writer in writers]
        return self.matcher.levels.order(run.connection, feeders, cycle, runs, run.now)

    def _note_order(self, run: Recomputation, batch: ClaimedBatch, order: RowOrder, ended: Collection[int]) -> None:
        if order.early:
            self.matcher.levels.hold(run.connection, batch, order.early, run.now)
        made = {cache: order.levels[cache] for cache in ended if cache in order.levels}
        if made:
            self.matcher.levels.made(run.connection, made, run.now)

    def _put_back_rest(self, run: Recomputation, batch: ClaimedBatch, ended: Collection[int], pause: timedelta) -> None:
        rest = [claimed.cache for claimed in batch.caches if claimed.cache not in ended]
        self.matcher.due_queue.put_back(run.connection, batch, rest, run.now + pause)


def _digest(result: CalculationResult, manifests: Manifests) -> int | None:
    if result.cache not in manifests:
        return result.claimed.digest
    return digest(manifests[result.cache], in_sql=result.in_sql)


def _row(run: Recomputation, result: CalculationResult, manifest_digest: int | None) -> RunResult:
    return RunResult(
        result.claimed,
        run.snapshot,
        manifest_digest,
        run.now,
        result.seconds,
        error=None if result.error is None else text_of(result.error),
        wrote=result.is_to_be_written,
    )
