"""Results of calculations, as they go from a calculator to the store, with the keys of their reads."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.manifest.reads import Reads, pattern_number
from afterwork.derived.matching.cycles import cycle_of
from afterwork.derived.queue.due_cache import ClaimedBatch, ClaimedCache
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.queue.registry import DerivationRegistry
from afterwork.errors import NotInline
from afterwork.jobs.run import Outcome, Raised, Run, Succeeded, text_of, trace_of
from afterwork.jobs.source import EndedRuns
from afterwork.model.external_id import ExternalId
from afterwork.store.database import CommitLimit

UNSENDABLE = ValueError, TypeError, OverflowError
"""Exceptions that drivers raise for a value that they can't send."""

RunOf = Callable[[RegisteredDerivation, ClaimedCache], Run]
"""Returns the run of a cache."""


Limited = Callable[[Sequence[ClaimedCache]], AbstractContextManager[object]]
"""Returns a context manager around the application's code for some caches, which ends it after its time."""


def unlimited(caches: Sequence[ClaimedCache]) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True)
class StoreContext:
    """The context in which results of one derivation are stored.

    All were calculated in the state of the database that is `snapshot`. `limited` ends what the types of columns, which
    may be the application's own, do with them, and `commit_limit` the commit.
    """

    connection: Connection
    derivation: RegisteredDerivation
    snapshot: Any
    now: datetime
    limited: Limited = unlimited
    commit_limit: CommitLimit | None = None


@dataclass(frozen=True)
class CalculationResult:
    """The result of one calculation: a value or an error, and in any case what was read.

    `is_new` says that the value differs from the `stored` one; until `ResultColumns.compared` was asked, it may only
    look so. `reads` is None if they are the same as last time. `root` is None if the object is gone or hidden.
    """

    claimed: ClaimedCache
    root: ExternalId | None
    value: Any = None
    stored: Any = None
    is_new: bool = False
    reads: Reads | None = None
    error: Exception | None = None
    seconds: float = 0.0
    in_sql: bool = False

    @property
    def cache(self) -> int:
        return self.claimed.cache

    @property
    def is_to_be_written(self) -> bool:
        return self.is_new and self.root is not None

    def run_outcome(self) -> Outcome:
        """Return how the run of the cache ended."""
        if self.error is None:
            return Succeeded(self.seconds)
        return Raised(text_of(self.error), None, self.seconds, trace_of(self.error))


@dataclass(frozen=True)
class ResultGroup:
    """Results that were calculated in one state of the database, the `snapshot`.

    A calculation may end early: then `results` are those of the first caches of the batch.
    """

    batch: ClaimedBatch
    snapshot: Any
    results: list[CalculationResult]


def without(results: Iterable[CalculationResult], caches: Collection[int]) -> list[CalculationResult]:
    """Return the results of all but some caches."""
    return [result for result in results if result.cache not in caches]


def unless_cyclic(connection: Connection, result: CalculationResult, registry: DerivationRegistry) -> CalculationResult:
    """Return a result, or the error that its cache depends on itself."""
    cycle = cycle_of(connection, result.claimed, registry)
    return result if cycle is None else replace(result, is_new=False, error=cycle)


def ran(results: Sequence[CalculationResult], derivation: RegisteredDerivation, run_of: RunOf) -> EndedRuns:
    """Return the runs behind stored results, each with its outcome."""
    return [(run_of(derivation, result.claimed), result.run_outcome()) for result in results if result.root is not None]


@dataclass(frozen=True)
class ReadKeys:
    """Turns reads into read keys, and learns which patterns the runs of each derivation read."""

    patterns: ReadPatterns
    registry: DerivationRegistry

    def of_results(self, context: StoreContext, results: Iterable[CalculationResult]) -> dict[int, set[int]]:
        """Return the manifests of results that have reads, by cache. New patterns are numbered."""
        return {
            result.cache: self.of(context.connection, context.derivation, result.reads)
            for result in results
            if result.reads is not None
        }

    def known_of_results(self, context: StoreContext, results: Iterable[CalculationResult]) -> dict[int, set[int]]:
        """Return the same where every pattern is known already. Raises `NotInline` if one is new."""
        return {
            result.cache: self._known(context.derivation, result.reads)
            for result in results
            if result.reads is not None
        }

    def of(self, connection: Connection, derivation: RegisteredDerivation, reads: Reads) -> set[int]:
        """Return the manifest of reads. New patterns get their numbers in transactions of their own."""
        for pattern in self.patterns.unnumbered(reads):
            self.patterns.number_of(connection, pattern)
        keys = self.patterns.read_keys(reads)
        self.learn(connection, derivation, keys)
        return keys

    def learn(self, connection: Connection, derivation: RegisteredDerivation, keys: Collection[int]) -> None:
        """Note which patterns the runs of a derivation read."""
        self.registry.learn(connection, derivation.id, set(map(pattern_number, keys)))

    def _known(self, derivation: RegisteredDerivation, reads: Reads) -> set[int]:
        if self.patterns.unnumbered(reads):
            raise NotInline("a kind of read is new")
        keys = self.patterns.read_keys(reads)
        if not self.registry.knows(derivation.id, set(map(pattern_number, keys))):
            raise NotInline("a kind of read is new to this cache")
        return keys
