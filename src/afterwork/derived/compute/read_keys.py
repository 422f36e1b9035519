"""The read keys of what runs have read, with patterns that are new numbered on the way."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from afterwork.derived.compute.results import CalculationResult
from afterwork.derived.compute.store_context import StoreContext
from afterwork.derived.manifest.read_pattern import pattern_number
from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.queue.registry import DerivationRegistry
from afterwork.errors import NotInline


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
