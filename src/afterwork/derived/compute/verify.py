"""Verifying: calculate again without storing, and report what differs from what is stored; and machines that could move
by themselves though they count as at rest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from afterwork.derived.compute.calculators import Calculators
from afterwork.derived.compute.failure_isolation import CalculatedGroup, calculated
from afterwork.derived.compute.python_calculator import UNFIT, Calculated
from afterwork.derived.compute.result_store import ResultStore
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_queue import ClaimedCache
from afterwork.derived.queue.registry import RegisteredDerivation
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import due as dues
from afterwork.jobs.outcome import text_of
from afterwork.model.derivation import ViewModelDerivation

CHUNK = 100


@dataclass(frozen=True)
class StoredDifference:
    """A value that is not what its calculation says, though it counts as fresh. With `in_sql`, it is the SQL side that
    says something else than the Python side."""

    name: str
    root_id: str
    stored: str
    calculated: str
    in_sql: bool = False


@dataclass(frozen=True)
class Verified:
    """What `verify` has found. `checked` counts values, by cache."""

    checked: dict[str, int]
    differences: list[StoredDifference]


@dataclass(frozen=True)
class Verifier:
    """Verifies derived members and machines that are not due to run anyway."""

    matcher: Matcher
    calculators: Calculators
    result_store: ResultStore

    def verify(self, connection: Connection, sample: int | None) -> Verified:
        """Calculate all values again, or of each cache as many as `sample` says, picked by chance."""
        checked: dict[str, int] = {}
        differences: list[StoredDifference] = []
        for definition in self.matcher.registry:
            if not isinstance(definition.declaration, ViewModelDerivation):
                checked[definition.name] = 0
                for some in self._chunks(connection, definition, sample):
                    found = self._verify(connection, definition, some)
                    checked[definition.name] += len(some)
                    differences += found
        return Verified(checked, differences)

    def _chunks(
        self, connection: Connection, definition: RegisteredDerivation, sample: int | None
    ) -> Iterator[list[ClaimedCache]]:
        c = caches.c
        fresh = select(c.id, c.root).where(c.derivation == definition.id, c.computed.is_not(None), c.error.is_(None))
        fresh = fresh.where(c.id.not_in(select(dues.c.cache).where(dues.c.since.is_not(None))))
        if sample is not None:
            rows = connection.execute(fresh.order_by(func.random()).limit(sample)).all()
        else:
            rows = connection.execute(fresh.order_by(c.id)).all()
        connection.commit()
        for start in range(0, len(rows), CHUNK):
            yield [ClaimedCache(row.id, row.root, None, 0, "", None, 0, 0, True) for row in rows[start : start + CHUNK]]

    def _verify(
        self, connection: Connection, definition: RegisteredDerivation, some: list[ClaimedCache]
    ) -> list[StoredDifference]:
        calculators, matcher = self.calculators, self.matcher
        found = _all(calculated(matcher, calculators.python[definition.id], connection, some, float("inf")))
        in_sql = calculators.sql.get(definition.id)
        other = [] if in_sql is None else _all(calculated(matcher, in_sql, connection, some, 0))
        return [
            StoredDifference(definition.name, one.claimed.root, repr(one.stored), _result(one), in_sql)
            for side, in_sql in ((found, False), (other, True))
            for one in self._settled(connection, definition, side)
            if one.is_new or one.error is not None
        ]

    def _settled(
        self, connection: Connection, definition: RegisteredDerivation, some: Sequence[Calculated]
    ) -> Sequence[Calculated]:
        """What is really new, as for storing; what the database refuses to hold is an error of that value alone."""
        try:
            return self.result_store.settled(connection, definition, some)
        except (SQLAlchemyError, *UNFIT) as error:
            if self.matcher.database.is_its_own(error):
                raise
            if len(some) == 1:
                return [replace(some[0], error=error)]
        finally:
            connection.rollback()
        return [settled for one in some for settled in self._settled(connection, definition, [one])]


def _all(groups: Iterable[CalculatedGroup]) -> list[Calculated]:
    return [one for group in groups for one in group.done]


def _result(one: Calculated) -> str:
    return text_of(one.error) if one.error is not None else repr(one.value)
