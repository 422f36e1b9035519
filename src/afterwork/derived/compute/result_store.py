"""Store the results of calculations: of claimed batches in a short transaction of its own, of inline ones in theirs.

While a value is calculated, nothing is locked. Whatever changes meanwhile is found when the value is written: changes
that a running calculation may not have seen are kept in `afterwork_recent`. Such a cache is born stale: it is stale as
soon as it is stored, and runs again.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

from afterwork.derived.compute.next_runs import NextRuns
from afterwork.derived.compute.result_column import ResultColumns
from afterwork.derived.compute.results import CalculationResult, ReadKeys, StoreContext, without
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_rows import RunResult
from afterwork.derived.queue.cycle_levels import MAX_EARLY_RUNS, RowOrder
from afterwork.derived.queue.due_cache import ClaimedBatch
from afterwork.derived.queue.feeders import FeederRun
from afterwork.jobs.run import text_of
from afterwork.store.caches.manifests import digest

LOCKED_PAUSE = timedelta(milliseconds=100)
"""The pause of a value whose row somebody else has locked."""

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
        self, context: StoreContext, batch: ClaimedBatch, results: Sequence[CalculationResult]
    ) -> list[CalculationResult]:
        """Store the results of a claimed batch and end its claims.

        Returns what was stored. Left out are caches that another server has taken over. Those whose rows are locked, or
        that ran too early, go back into the queue.
        """
        results = self._compared(context, results)
        context.connection.commit()
        known_feeders = self.matcher.registry.order.direct[context.derivation.id]
        manifests = self.read_keys.of_results(context, results)
        first, limit = self.matcher.entries.to_end, context.commit_limit
        with self.matcher.database.transaction(context.connection, first, limit):
            locked = self.columns.locked(context, results)
            ready = without(results, locked)
            order = self._order(context, known_feeders, ready)
            in_time = without(ready, order.early)
            ended = self.matcher.due_queue.end(context.connection, batch, [result.cache for result in in_time])
            stored = [result for result in in_time if result.cache in ended]
            self._write(context, stored, manifests)
            self._enqueue(context, stored, self._born_stale(context, stored, manifests))
            self._reconcile_unseen(context, stored)
            if self.matcher.registry.order.cycle(context.derivation.id):
                self._note_order(context, batch, order, ended)
            self._put_back_rest(context, batch, ended, LOCKED_PAUSE if locked else timedelta(0))
            self.matcher.reached("before commit", context.derivation.name)
        self.matcher.reached("after commit", context.derivation.name)
        return stored

    def store_inline(
        self, context: StoreContext, results: Sequence[CalculationResult], enqueued: Collection[int]
    ) -> list[CalculationResult]:
        """Store results that nobody has claimed, in the transaction in which they were calculated.

        Nobody takes changes meanwhile. `enqueued` are the caches that have an entry in the queue.
        Raises `NotInline` if something must be noted first in a transaction of its own.
        """
        manifests = self.read_keys.known_of_results(context, results)
        results = self._compared(context, results)
        locked = self.columns.locked(context, results)
        stored = without(results, locked)
        self._write(context, stored, manifests)
        self.matcher.due_queue.drop(context.connection, set(enqueued) - set(locked))
        self._enqueue(context, stored, {})
        self._reconcile_unseen(context, stored)
        if self.matcher.registry.order.cycle(context.derivation.id):
            self.matcher.levels.release(context.connection, [result.cache for result in stored], context.now)
        return stored

    def _compared(self, context: StoreContext, results: Sequence[CalculationResult]) -> Sequence[CalculationResult]:
        with _limit(context, results):
            return self.columns.compared(context.connection, context.derivation, results)

    def _write(self, context: StoreContext, results: Sequence[CalculationResult], manifests: Manifests) -> None:
        with _limit(context, results):
            self.columns.write(context, results)
        digests = {result.cache: _digest(result, manifests) for result in results}
        rows = [_row(context, result, digests[result.cache]) for result in results]
        self.matcher.cache_rows.ran(context.connection, rows)
        changed = {
            result.cache: manifests[result.cache]
            for result in results
            if result.cache in manifests and digests[result.cache] != result.claimed.digest
        }
        if changed:
            self.matcher.manifest_store.save(context.connection, changed)

    def _born_stale(
        self, context: StoreContext, results: Sequence[CalculationResult], manifests: Manifests
    ) -> Mapping[int, str]:
        read_keys = {result.cache: manifests.get(result.cache) for result in results}
        return self.next_runs.born_stale(context.connection, context.snapshot, read_keys)

    def _enqueue(self, context: StoreContext, results: Sequence[CalculationResult], stale: Mapping[int, str]) -> None:
        self.matcher.due_queue.enqueue(context.connection, self.next_runs.entries(context, results, stale))

    def _reconcile_unseen(self, context: StoreContext, results: Sequence[CalculationResult]) -> None:
        """Drop the caches of objects that are gone; those of hidden objects rest until they may be seen again."""
        unseen = [result.claimed.root for result in results if result.root is None]
        if unseen:
            self.matcher.cache_rows.reconcile(context.connection, context.derivation, unseen, context.now)

    def _order(self, context: StoreContext, known_feeders: Set[int], results: Sequence[CalculationResult]) -> RowOrder:
        """Find the results that have read values which are still to be made.

        Only those of its own cycle of derivations can be, and of feeders that became known by this very run.
        """
        registry = self.matcher.registry
        cycle = registry.order.cycle(context.derivation.id)
        writers = cycle | (registry.order.direct[context.derivation.id] - known_feeders)
        if not writers:
            return NO_ORDER
        runs = [
            FeederRun(result.cache, result.reads, result.is_new, result.claimed.early_runs >= MAX_EARLY_RUNS)
            for result in results
            if result.reads is not None
        ]
        feeders = [registry.by_id[writer] for writer in writers]
        return self.matcher.levels.order(context.connection, feeders, cycle, runs, context.now)

    def _note_order(self, context: StoreContext, batch: ClaimedBatch, order: RowOrder, ended: Collection[int]) -> None:
        if order.early:
            self.matcher.levels.hold(context.connection, batch, order.early, context.now)
        made = {cache: order.levels[cache] for cache in ended if cache in order.levels}
        if made:
            self.matcher.levels.made(context.connection, made, context.now)

    def _put_back_rest(
        self, context: StoreContext, batch: ClaimedBatch, ended: Collection[int], pause: timedelta
    ) -> None:
        rest = [claimed.cache for claimed in batch.caches if claimed.cache not in ended]
        self.matcher.due_queue.put_back(context.connection, batch, rest, context.now + pause)


def _limit(context: StoreContext, results: Sequence[CalculationResult]) -> AbstractContextManager[object]:
    """Return the time limit of what is done with values that differ; there may be none."""
    caches = [result.claimed for result in results if result.is_new]
    return context.limited(caches) if caches else nullcontext()


def _digest(result: CalculationResult, manifests: Manifests) -> int | None:
    if result.cache not in manifests:
        return result.claimed.digest
    return digest(manifests[result.cache], in_sql=result.in_sql)


def _row(context: StoreContext, result: CalculationResult, manifest_digest: int | None) -> RunResult:
    return RunResult(
        result.claimed,
        context.snapshot,
        manifest_digest,
        context.now,
        result.seconds,
        error=None if result.error is None else text_of(result.error),
        wrote=result.is_to_be_written,
    )
