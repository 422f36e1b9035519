"""When caches that have just run are to run again: born stale, failed, or valid only until a certain time."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.derived.cause import Cause, cause_of, cause_text
from afterwork.derived.compute.results import CalculationResult, ReadKeys, StoreContext
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_cache import DueEntry, StoredRun
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import CircularCaches, GivenUp
from afterwork.store.suspects import TRIED_AGAIN

FIRST_PAUSE, MAX_PAUSE = timedelta(seconds=10), timedelta(hours=1)
"""Bounds of the pause after an error. A change of something that was read ends it at once."""

MAX_DOUBLINGS = 10
"""The maximum number of doublings of the pause; the bound above is reached before."""

ReadKeysByCache = Mapping[int, set[int] | None]
"""The read keys of caches; None where they are those that are stored."""


SHARE_OF_FAILURES = 10
"""A cache that has failed waits for at least this many times as long as it took to fail."""


def pause_after(attempts: int, seconds: float) -> timedelta:
    """Return how long a cache waits for the next attempt that failed `attempts` times before, and now after some
    seconds."""
    pause = FIRST_PAUSE * (1 << min(attempts, MAX_DOUBLINGS))
    return min(MAX_PAUSE, max(pause, timedelta(seconds=SHARE_OF_FAILURES * seconds)))


@dataclass(frozen=True)
class NextRuns:
    matcher: Matcher
    clock: Clock

    def entries(
        self, context: StoreContext, results: Sequence[CalculationResult], stale: Mapping[int, str]
    ) -> list[DueEntry]:
        """Return the entries of all that is to run again; `stale` has the causes of caches that were born stale."""
        entries = []
        for result in results:
            until = None if result.reads is None else result.reads.valid_until
            if result.error is not None and result.cache not in stale:
                entries.append(_next_attempt(context, result, until))
            else:
                entries += self.after_success(context.derivation, result.cache, stale.get(result.cache), until)
        return entries

    def after_success(
        self, derivation: RegisteredDerivation, cache: int, stale: str | None, until: datetime | None
    ) -> list[DueEntry]:
        """Return the next run of a cache, if one is known.

        There is one if the cache was born stale, for the cause `stale`, or if its result holds only `until` then.
        """
        now = self.clock.now()
        if stale is not None:
            return [DueEntry(cache, derivation.id, now + derivation.declaration.when.allow_oldness, now, stale)]
        if until is not None:
            return [DueEntry(cache, derivation.id, max(now, until), None, cause_text(Cause("time", moment=until)))]
        return []

    def born_stale(
        self, connection: Connection, snapshot: Any, read_keys: ReadKeysByCache, own_tx: int | None = None
    ) -> dict[int, str]:
        """Return the causes of caches that missed a change.

        It was matched while they ran, and touches what they read. Changes by the transaction `own_tx` were made by
        the run itself.
        """
        unseen = self.matcher.entries.unseen(connection, snapshot)
        causes: dict[int, str] = {}
        if not unseen:
            return causes
        complete = self._with_stored(connection, read_keys)
        for change in unseen:
            if own_tx is not None and change.tx == own_tx:
                continue
            touched = {read_key for read_key, _ in self.matcher.patterns.touched(change)}
            is_truncate = change.kind == "T"
            for cache, keys in complete.items():
                if cache not in causes and (is_truncate or not touched.isdisjoint(keys)):
                    causes[cache] = cause_text(cause_of(change, self.matcher.patterns.table(change.table_id)))
        return causes

    def _with_stored(self, connection: Connection, read_keys: ReadKeysByCache) -> Mapping[int, Set[int]]:
        unknown = [cache for cache, keys in read_keys.items() if keys is None]
        stored = self.matcher.manifest_store.read_keys(connection, unknown)
        return {cache: set(stored.get(cache, ())) if keys is None else keys for cache, keys in read_keys.items()}


def _next_attempt(context: StoreContext, failed: CalculationResult, until: datetime | None) -> DueEntry:
    """Return when a failed cache is tried again.

    Its cause stays the one that made it stale, also the way around a cycle: it fails again if the cycle is still there.
    """
    claimed = failed.claimed
    is_given_up = isinstance(failed.error, GivenUp)
    due = context.now + (TRIED_AGAIN if is_given_up else pause_after(claimed.attempts, failed.seconds))
    due = due if until is None else max(context.now, min(due, until))
    entry = DueEntry(
        claimed.cache, context.derivation.id, due, context.now, claimed.cause, attempts=claimed.attempts + 1
    )
    is_cycle = isinstance(failed.error, CircularCaches)
    return replace(entry, cause_cache=claimed.cause_cache, depth=claimed.depth) if is_cycle else entry


@dataclass(frozen=True)
class CommitCheck:
    """Ends the claims of runs that have stored their effects.

    Only PostgreSQL needs it: there, others commit while a run does, and only a later look shows what it has missed.
    """

    matcher: Matcher
    read_keys: ReadKeys
    next_runs: NextRuns
    clock: Clock

    def check(self, connection: Connection, claim: str) -> None:
        """End a claim, and enqueue its caches that were born stale or whose results hold only for a time."""
        learned: list[tuple[RegisteredDerivation, set[int]]] = []
        with self.matcher.database.transaction(connection, self.matcher.entries.to_end):
            finished = self.matcher.due_queue.finish(connection, claim)
            if finished:
                self.matcher.patterns.load(connection)  # the run may have been another server's
            for stored in finished:
                keys = self._check(connection, stored)
                derivation = self.matcher.registry.by_id.get(stored.derivation)
                if derivation is not None:
                    learned.append((derivation, keys))
        for derivation, keys in learned:
            self.read_keys.learn(connection, derivation, keys)

    def _check(self, connection: Connection, stored: StoredRun) -> set[int]:
        """Enqueue one cache. Returns its manifest."""
        cache = stored.cache
        seen = self.matcher.cache_rows.seen(connection, cache)
        keys = set(self.matcher.manifest_store.read_keys(connection, [cache]).get(cache, ()))
        stale = self.next_runs.born_stale(connection, seen.snapshot, {cache: keys}, seen.own_tx)
        derivation = self.matcher.registry.by_id.get(stored.derivation)
        if derivation is None:  # a server with another model has left it
            now = self.clock.now()
            entries = [DueEntry(cache, stored.derivation, now, now, cause_text(Cause("new")))]
        else:
            cause = stale.get(cache, stored.enqueued)
            entries = self.next_runs.after_success(derivation, cache, cause, stored.until)
        self.matcher.due_queue.enqueue(connection, entries)
        return keys
