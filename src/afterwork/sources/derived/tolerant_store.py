"""Store the results of a batch so that a result that can't be stored fails alone."""

from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from afterwork.boundary import CONTAINED
from afterwork.clock import Clock
from afterwork.derived.compute.result_store import ResultStore
from afterwork.derived.compute.results import UNSENDABLE, CalculationResult, ResultGroup
from afterwork.derived.compute.store_context import StoreContext
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import Escaped, RowNotFound


@dataclass(frozen=True)
class TolerantStore:
    """A store for groups of results: all at once, or one by one if the database refuses something."""

    matcher: Matcher
    result_store: ResultStore
    clock: Clock

    def store(self, connection: Connection, group: ResultGroup) -> list[CalculationResult]:
        """Store a group and return what was stored. Raises errors of the database that are not about a value."""
        derivation = group.batch.derivation
        context = StoreContext(connection, derivation, group.snapshot, self.clock.now())
        try:
            with CONTAINED:
                return self.result_store.store(context, group.batch, group.results)
        except (SQLAlchemyError, RowNotFound, Escaped, *UNSENDABLE) as error:
            if self.matcher.database.is_its_own(error):
                raise
            if len(group.results) == 1:
                failed = self._failed(connection, derivation, group.results[0], error)
                return self.result_store.store(context, group.batch, [failed])
        return self._store_one_by_one(connection, group)

    def _store_one_by_one(self, connection: Connection, group: ResultGroup) -> list[CalculationResult]:
        stored: list[CalculationResult] = []
        for result in group.results:
            stored += self.store(connection, ResultGroup(group.batch.only([result.claimed]), group.snapshot, [result]))
        with self.matcher.database.transaction(connection):
            self.matcher.due_queue.release(connection, [group.batch.claim])
        return stored

    def _failed(
        self, connection: Connection, derivation: RegisteredDerivation, result: CalculationResult, error: Exception
    ) -> CalculationResult:
        """Return the result for a value that can't be stored. An object that was deleted meanwhile counts as gone."""
        root = result.claimed.root
        is_gone = isinstance(error, RowNotFound) and root not in derivation.existing(connection, [root])
        connection.commit()
        if is_gone:
            return CalculationResult(result.claimed, None, reads=result.reads)
        return CalculationResult(result.claimed, result.root, reads=result.reads, error=error, seconds=result.seconds)
