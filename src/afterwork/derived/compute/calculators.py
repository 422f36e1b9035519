"""The calculators of a model's derivations, and how a value that can't be calculated fails alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from afterwork.boundary import CONTAINED
from afterwork.derived.compute.python_calculator import PythonCalculator
from afterwork.derived.compute.results import CalculationResult, Limited, ResultGroup, unless_cyclic, unlimited
from afterwork.derived.compute.sql_calculator import SqlCalculator
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_cache import ClaimedBatch, ClaimedCache
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import TimedOut


@dataclass(frozen=True)
class Calculators:
    """The calculators by derivation: one in Python for each, and for some one in SQL as well."""

    python: Mapping[int, PythonCalculator]
    sql: Mapping[int, SqlCalculator]

    def fastest(self, derivation: RegisteredDerivation) -> PythonCalculator | SqlCalculator:
        """Return the one in SQL if there is one."""
        return self.sql.get(derivation.id) or self.python[derivation.id]


@dataclass(frozen=True)
class TolerantCalculation:
    """The calculation of batches with one calculator, in which bad values fail alone.

    Each batch is calculated until `max_seconds` have passed, or a calculation was ended by its time limit.
    """

    matcher: Matcher
    calculator: PythonCalculator | SqlCalculator
    connection: Connection
    max_seconds: float
    limited: Limited = unlimited

    def groups(self, batch: ClaimedBatch) -> Iterator[ResultGroup]:
        """Calculate in as few groups as possible.

        If something fails for the whole batch, each half is tried by itself, or each cache if that took too long. A
        cache that the database refuses is tried again alone, since it may have failed because of what was loaded for
        others.
        """
        try:
            group, refused = self.together(batch)
        except Exception as error:
            if len(batch.caches) == 1 or self.matcher.database.is_not_the_jobs(error):
                raise
            # What takes too long is not tried together again.
            size = 1 if isinstance(error, TimedOut) else -(-len(batch.caches) // 2)
            for start in range(0, len(batch.caches), size):
                yield from self.groups(batch.only(batch.caches[start : start + size]))
            return
        yield group
        if refused is not None:
            yield from self.groups(batch.only([refused]))

    def together(self, batch: ClaimedBatch) -> tuple[ResultGroup, ClaimedCache | None]:
        """Calculate in one state of the database, until the database refuses one of several caches.

        Returns that cache as well.
        """
        results: list[CalculationResult] = []
        is_alone = len(batch.caches) == 1
        with CONTAINED, self.matcher.database.snapshot(self.connection) as snapshot:
            try:
                for result in self._results(batch.caches):
                    if isinstance(result.error, DBAPIError) and not is_alone:
                        rest = [cache for cache in batch.caches if cache.cache != result.cache]
                        return ResultGroup(batch.only(rest), snapshot, results), result.claimed
                    if isinstance(result.error, DBAPIError | TimedOut):  # the transaction may have failed with it
                        results.append(result)
                        break
                    results.append(unless_cyclic(self.connection, result, self.matcher.registry))
            except Exception as error:
                if not is_alone or self.matcher.database.is_not_the_jobs(error):
                    raise
                results = [self.calculator.failed(self.connection, batch.caches[0], error)]
        return ResultGroup(batch, snapshot, results), None

    def _results(self, caches: Sequence[ClaimedCache]) -> Iterator[CalculationResult]:
        """Calculate, up to the first error that is not the fault of a calculation, which is raised."""
        for result in self.calculator.calculate(self.connection, caches, self.max_seconds, self.limited):
            if result.error is not None and self.matcher.database.is_not_the_jobs(result.error):
                raise result.error
            yield result
