"""Verify: calculate again without storing, and report what differs from what is stored.

A machine differs if it could move by itself though it counts as at rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from afterwork.derived.compute.calculators import Calculators, TolerantCalculation
from afterwork.derived.compute.python_calculator import PythonCalculator
from afterwork.derived.compute.result_store import ResultStore
from afterwork.derived.compute.results import UNSENDABLE, CalculationResult
from afterwork.derived.compute.sql_calculator import SqlCalculator
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_cache import ClaimedBatch, ClaimedCache
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.jobs.run import text_of
from afterwork.model.derivation import ViewModelDerivation
from afterwork.model.external_id import is_placeholder
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.journal.refresh import RefreshPlan, is_any_touched
from afterwork.store.journal.tables import touch as touches

BATCH_SIZE = 100

NO_CLAIM = ""
"""The claim of what is calculated without being stored."""


@dataclass(frozen=True)
class StoredDifference:
    """A value as `stored` that is not as `calculated`, though it counts as fresh: `name` of the object `root_id`.

    With `in_sql`, it is the SQL side that differs from the Python side.
    """

    name: str
    root_id: str
    stored: str
    calculated: str
    in_sql: bool = False


@dataclass(frozen=True)
class Verified:
    """The findings of `verify`. `checked` counts values, by derivation, and `left_out` those that are not fresh.

    With `is_behind`, changes wait or a backfill is under way, so differences may come from that alone.
    """

    checked: dict[str, int]
    differences: list[StoredDifference]
    left_out: dict[str, int] = field(default_factory=dict)
    is_behind: bool = False


@dataclass(frozen=True)
class Verifier:
    """Verifies derived members and machines that are not due to run anyway."""

    matcher: Matcher
    calculators: Calculators
    result_store: ResultStore

    def verify(self, connection: Connection, sample: int | None) -> Verified:
        """Calculate all values again, or a random `sample` of each derivation."""
        checked: dict[str, int] = {}
        differences: list[StoredDifference] = []
        is_behind = self._is_behind(connection)
        for derivation in self.matcher.registry:
            if not isinstance(derivation.declaration, ViewModelDerivation):
                checked[derivation.name] = 0
                for batch in self._batches(connection, derivation, sample):
                    differences += self._verify(connection, batch)
                    checked[derivation.name] += len(batch.caches)
        left_out = {} if sample is not None else self._left_out(connection, checked)
        return Verified(checked, differences, left_out, is_behind)

    def _left_out(self, connection: Connection, checked: Mapping[str, int]) -> dict[str, int]:
        """Return how many values of each derivation are stale, failed, or never calculated, if any are."""
        counts = connection.execute(select(caches.c.derivation, func.count()).group_by(caches.c.derivation))
        number_of_all = {row.derivation: row[1] for row in counts}
        verified = [derivation for derivation in self.matcher.registry if derivation.name in checked]
        for derivation in verified:
            if derivation.plan is not None:
                objects = select(func.count()).select_from(derivation.plan.table)
                number_of_all[derivation.id] = connection.execute(objects).scalar_one()
        rest = {d.name: number_of_all.get(d.id, 0) - checked[d.name] for d in verified}
        return {name: number for name, number in rest.items() if number > 0}

    def _is_behind(self, connection: Connection) -> bool:
        filling = select(derivations.c.id).where(derivations.c.id.in_(list(self.matcher.registry.by_id)))
        is_filling = connection.execute(filling.where(~derivations.c.backfilled).limit(1)).first() is not None
        plans = [derivation.plan for derivation in self.matcher.registry if derivation.plan is not None]
        is_touched = any(is_any_touched(connection, plan.routes) for plan in plans)
        return is_filling or is_touched or not self.matcher.entries.is_empty(connection)

    def _batches(
        self, connection: Connection, derivation: RegisteredDerivation, sample: int | None
    ) -> Iterator[ClaimedBatch]:
        rows = self._fresh(connection, derivation, sample)
        connection.commit()
        for start in range(0, len(rows), BATCH_SIZE):
            claimed = [
                ClaimedCache(number, root, None, 0, "", None, 0, 0, True)
                for number, root in rows[start : start + BATCH_SIZE]
            ]
            yield ClaimedBatch(NO_CLAIM, derivation, claimed)

    def _fresh(
        self, connection: Connection, derivation: RegisteredDerivation, sample: int | None
    ) -> Sequence[tuple[int, str]]:
        """Return the caches that are not due to run, each with a number and its root."""
        if derivation.plan is not None:
            return self._untouched(connection, derivation, derivation.plan, sample)
        c = caches.c
        fresh = select(c.id, c.root).where(c.derivation == derivation.id, c.computed.is_not(None), c.error.is_(None))
        fresh = fresh.where(c.id.not_in(select(dues.c.cache).where(dues.c.since.is_not(None))))
        if sample is not None:
            rows = connection.execute(fresh.order_by(func.random()).limit(sample))
        else:
            rows = connection.execute(fresh.order_by(c.id))
        return [(row.id, row.root) for row in rows]

    def _untouched(
        self, connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, sample: int | None
    ) -> Sequence[tuple[int, str]]:
        """Return the objects of a derivation that is refreshed in sets, but for those that are touched or failed."""
        keys = select(*plan.key)
        keys = keys if sample is None else keys.order_by(func.random()).limit(sample)
        failed = select(caches.c.root).where(caches.c.derivation == derivation.id)
        left_out = set(connection.execute(failed).scalars())
        for way in plan.ways:
            query = way.roots(touches.c).where(touches.c.route == way.route)
            left_out |= {derivation.name_with(connection, tuple(key)) for key in connection.execute(query)}
        roots = [derivation.name_with(connection, tuple(key)) for key in connection.execute(keys)]
        named = [root for root in roots if not is_placeholder(root)]
        return [(number, root) for number, root in enumerate(named, 1) if root not in left_out]

    def _verify(self, connection: Connection, batch: ClaimedBatch) -> list[StoredDifference]:
        number = batch.derivation.id
        differences = self._differences(connection, batch, self.calculators.python[number])
        if number in self.calculators.sql:
            differences += self._differences(connection, batch, self.calculators.sql[number])
        return differences

    def _differences(
        self, connection: Connection, batch: ClaimedBatch, calculator: PythonCalculator | SqlCalculator
    ) -> list[StoredDifference]:
        is_python = isinstance(calculator, PythonCalculator)
        groups = TolerantCalculation(self.matcher, calculator, connection, float("inf") if is_python else 0).groups(
            batch
        )
        results = [result for group in groups for result in group.results]
        return [
            StoredDifference(
                batch.derivation.name, result.claimed.root, repr(result.stored), _shown(result), not is_python
            )
            for result in self._as_stored(connection, batch.derivation, results)
            if (result.is_new or result.error is not None) and not self._is_left_to_sql(batch, result)
        ]

    def _is_left_to_sql(self, batch: ClaimedBatch, result: CalculationResult) -> bool:
        """Return whether the function says that there is only a SQL side."""
        return isinstance(result.error, NotImplementedError) and batch.derivation.id in self.calculators.sql

    def _as_stored(
        self, connection: Connection, derivation: RegisteredDerivation, results: Sequence[CalculationResult]
    ) -> Sequence[CalculationResult]:
        """Return results as they would be stored. A value that the database refuses to hold is an error by itself."""
        try:
            return self.result_store.columns.compared(connection, derivation, results)
        except (SQLAlchemyError, *UNSENDABLE) as error:
            if self.matcher.database.is_its_own(error):
                raise
            if len(results) == 1:
                return [replace(results[0], error=error)]
        finally:
            connection.rollback()
        return [stored for result in results for stored in self._as_stored(connection, derivation, [result])]


def _shown(result: CalculationResult) -> str:
    return text_of(result.error) if result.error is not None else repr(result.value)
