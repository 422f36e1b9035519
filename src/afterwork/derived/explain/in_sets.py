"""Explain a value that is refreshed in sets: its query is asked, since nothing is kept of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, FromClause, Row, Table, Text, cast, select
from sqlalchemy import inspect as state_of
from sqlalchemy.orm import InstanceState, RelationshipProperty

from afterwork.derived.cause import Cause, read_cause
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tracking.query import SetBasedExpression
from afterwork.model.derivation import MemberDerivation
from afterwork.model.external_id import root_id
from afterwork.model.key import is_one_of
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.dialects import refresh_of
from afterwork.store.journal.refresh import Key, RefreshPlan, is_touched
from afterwork.store.journal.route_spec import RouteSpec

CacheOf = tuple[int, str]
"""The number of a derivation, and an object."""


@dataclass(frozen=True)
class SetExplainer:
    """Answers questions about values that are refreshed in sets. Changes nothing."""

    matcher: Matcher

    def value(self, connection: Connection, plan: RefreshPlan, key: Key) -> Row[Any] | None:
        """Return an object's stored value, the right one, and whether these differ; None without the object."""
        refresh = refresh_of(plan, self.matcher.dialect.name)
        return connection.execute(refresh.from_scratch(is_one_of(plan.key, [key]))).one_or_none()

    def reads(self, connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, key: Key) -> Reads:
        """Return the reads of an object's value as they are now."""
        tables, dialect = self.matcher.patterns.tables, self.matcher.dialect
        set_based = SetBasedExpression(derivation.declaration.root, plan.value, tables, dialect)
        return set_based.reads([key], connection.execute(set_based.provenance([key])).all())[key]

    def cause(
        self, connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, key: Key
    ) -> Cause | None:
        """Return what has made a value stale; None if it is only to follow others that are stale."""
        way = next((way for way in plan.ways if is_touched(connection, plan, key, way)), None)
        if way is not None and way.spec.role == "overwritten":
            return Cause("U", way.spec.table, columns=(plan.member.name,))
        if way is not None:
            return Cause("touch", way.spec.table)
        d = derivations.c
        row = connection.execute(select(d.gap).where(d.id == derivation.id, ~d.backfilled)).one_or_none()
        return None if row is None else read_cause(row.gap) or Cause("fill")

    def readers_of_member(self, connection: Connection, obj: object, member: str, limit: int) -> Iterator[CacheOf]:
        """Yield the values that a change of a member of an object touches."""
        state: InstanceState[Any] = state_of(obj)
        prop = state.mapper.attrs.get(member)
        kind = "local_columns" if isinstance(prop, RelationshipProperty) else "columns"
        columns: Iterable[Any] = getattr(prop, kind, ())
        here = is_one_of(state.mapper.primary_key, [tuple(state.mapper.primary_key_from_instance(obj))])
        for column in columns:
            if isinstance(column, Column) and isinstance(column.table, Table) and len(state.mapper.tables) == 1:
                yield from self._touched(connection, column, here, limit)

    def readers_of_result(
        self, connection: Connection, derivation: RegisteredDerivation, root: str, limit: int
    ) -> Iterator[CacheOf]:
        """Yield the values that are directly made of what a cache writes."""
        declared = derivation.declaration
        if isinstance(declared, MemberDerivation) and len(declared.root.tables) == 1:
            here = is_one_of(declared.root.primary_key, [derivation.key_of(root)])
            yield from self._touched(connection, declared.column, here, limit)

    def _touched(
        self, connection: Connection, column: Column[Any], here: ColumnElement[bool], limit: int
    ) -> Iterator[CacheOf]:
        """Yield the objects that a change of a column in some row touches, each with its derivation."""
        for derivation in self.matcher.registry:
            for way in () if derivation.plan is None else derivation.plan.ways:
                spec = way.spec
                is_read = spec.table == column.table.fullname and column.name in spec.counting
                if is_read and spec.role != "overwritten":
                    query = way.roots(self._touches_of(column.table, spec, here)).limit(limit)
                    for key in connection.execute(query):
                        yield derivation.id, root_id(derivation.declaration.root, tuple(key))

    def _touches_of(self, table: Any, spec: RouteSpec, here: ColumnElement[bool]) -> FromClause:
        """Return the touches of a row, as its columns are now."""
        by_name = {column.name: column for column in table.columns}
        is_text = self.matcher.dialect.name == "postgresql"
        values = (
            (cast(by_name[name], Text) if is_text else by_name[name]).label(f"v{place}")
            for place, name in enumerate(spec.columns, 1)
        )
        return select(*values).where(here).subquery("touches")
