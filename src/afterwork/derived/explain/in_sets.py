"""Explain values that are refreshed in sets: their query is asked, since no run of them is kept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.exc import DBAPIError

from afterwork.derived.cause import Cause, read_cause
from afterwork.derived.explain.explanation import CacheLine, CacheState
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tracking.query import SetBasedExpression
from afterwork.jobs.run import text_of
from afterwork.model.key import PrimaryKey, is_one_of
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.dialects import refresh_of
from afterwork.store.journal.last_change import LastChange, last_changes
from afterwork.store.journal.refresh import RefreshPlan, Way, touched_among

ValuesByKey = Mapping[PrimaryKey, Row[Any] | str]
"""The stored value of each object, the right one, and whether these differ; or why that can't be calculated."""


@dataclass(frozen=True)
class SetExplainer:
    """Answers questions about values that are refreshed in sets. Changes nothing."""

    matcher: Matcher

    def lines(
        self, connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, keys: Sequence[PrimaryKey]
    ) -> Mapping[PrimaryKey, CacheLine]:
        """Return the states of the values of those objects that exist, by key."""
        values = self._values(connection, plan, keys)
        stale = [key for key, value in values.items() if isinstance(value, str) or value.differs]
        causes = self.causes(connection, derivation, plan, stale)
        changes = last_changes(connection, plan.own, plan.key, values if plan.keeps_last_change else ())
        return {
            key: _line(
                derivation.name_with(connection, key), value, causes.get(key), self._last(plan, changes.get(key))
            )
            for key, value in values.items()
        }

    def reads(
        self, connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, key: PrimaryKey
    ) -> Reads:
        """Return the reads of an object's value as they are now; none if a condition of its query fails."""
        tables, dialect = self.matcher.patterns.tables, self.matcher.dialect
        set_based = SetBasedExpression(derivation.declaration.root, plan.value, tables, dialect)
        try:
            with connection.begin_nested():
                rows = connection.execute(set_based.provenance([key])).all()
        except DBAPIError as error:
            if self.matcher.database.is_its_own(error):
                raise
            return Reads()
        return set_based.reads([key], rows)[key]

    def cause(
        self, connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, key: PrimaryKey
    ) -> Cause | None:
        """Return what makes a value stale that is; None if no touch leads to it."""
        cause = self.causes(connection, derivation, plan, [key]).get(key)
        return None if cause is None or cause.kind == "feeder" else cause

    def causes(
        self, connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, stale: Collection[PrimaryKey]
    ) -> Mapping[PrimaryKey, Cause]:
        """Return what has made values stale, by key."""
        causes: dict[PrimaryKey, Cause] = {}
        for way in plan.ways:
            for key in touched_among(connection, plan, way, [key for key in stale if key not in causes]):
                causes[key] = cause_of_touch(plan, way)
        rest = [key for key in stale if key not in causes]
        return causes | dict.fromkeys(rest, self._of_all(connection, derivation) or Cause("feeder")) if rest else causes

    def _of_all(self, connection: Connection, derivation: RegisteredDerivation) -> Cause | None:
        """Return why all values of a derivation are to be made again; None if they aren't."""
        d = derivations.c
        row = connection.execute(select(d.gap).where(d.id == derivation.id, ~d.backfilled)).one_or_none()
        return None if row is None else read_cause(row.gap) or Cause("fill")

    def _values(self, connection: Connection, plan: RefreshPlan, keys: Sequence[PrimaryKey]) -> ValuesByKey:
        """Return the values of objects. One that can't be calculated does not keep the others from that."""
        if not keys:
            return {}
        query = refresh_of(plan, self.matcher.dialect.name).from_scratch(is_one_of(plan.key, keys))
        try:
            with connection.begin_nested():
                return {tuple(row[: len(plan.key)]): row for row in connection.execute(query)}
        except DBAPIError as error:
            if self.matcher.database.is_its_own(error):
                raise
            if len(keys) == 1:
                return {keys[0]: text_of(error)}
        middle = len(keys) // 2
        return {**self._values(connection, plan, keys[:middle]), **self._values(connection, plan, keys[middle:])}

    def _last(self, plan: RefreshPlan, change: LastChange | None) -> tuple[datetime, Cause] | None:
        """Return when and why a value was last written, if that is kept."""
        if change is None:
            return None
        way = next((way for way in plan.ways if way.route == change.route), None)
        return change.changed_at, Cause("fill") if way is None else cause_of_touch(plan, way)


def cause_of_touch(plan: RefreshPlan, way: Way) -> Cause:
    """Return the cause of the touches by which a way begins."""
    if way.spec.role == "overwritten":
        return Cause("U", way.spec.table, columns=(plan.member.name,))
    return Cause("touch", way.spec.table)


def _line(root: str, value: Row[Any] | str, cause: Cause | None, last: tuple[datetime, Cause] | None) -> CacheLine:
    changed, because = (None, None) if last is None else last
    state: CacheState = "fresh" if cause is None else "stale"
    error = value if isinstance(value, str) else None
    return CacheLine(root, state, 0, None, None, because, cause, None, error, changed)
