"""Find the values in sets that read something: the same routes lead to them by which touches do."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, FromClause, Table, Text, and_, cast, select
from sqlalchemy import inspect as state_of
from sqlalchemy.orm import InstanceState, RelationshipDirection, RelationshipProperty
from sqlalchemy.orm.exc import UnmappedColumnError

from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.model.derivation import MemberDerivation
from afterwork.model.key import is_one_of
from afterwork.store.journal.refresh import Way

CacheOf = tuple[int, str]
"""The number of a derivation, and an object."""


@dataclass(frozen=True)
class _PossibleChange:
    """A change of some columns of one row. `here` picks it; `row` has its columns as far as they are known."""

    table: Any
    changed: frozenset[str]
    row: Mapping[str, ColumnElement[Any]]
    here: ColumnElement[bool]


@dataclass(frozen=True)
class SetReaders:
    """Finds readers whose values are refreshed in sets. Changes nothing."""

    matcher: Matcher

    def of_member(self, connection: Connection, obj: object, member: str, limit: int) -> Iterator[CacheOf]:
        """Yield the values that a change of a member of an object touches."""
        state: InstanceState[Any] = state_of(obj)
        prop = state.mapper.attrs.get(member)
        if isinstance(prop, RelationshipProperty) and prop.direction is not RelationshipDirection.MANYTOONE:
            yield from self._of_relationship(connection, state, prop, limit)
            return
        columns = prop.local_columns if isinstance(prop, RelationshipProperty) else getattr(prop, "columns", ())
        for column in columns:
            if isinstance(column, Column) and isinstance(column.table, Table):
                for here in _row_of(state, column.table):
                    yield from self._touched(connection, _change(column, here), limit)

    def of_result(
        self, connection: Connection, derivation: RegisteredDerivation, root: str, limit: int
    ) -> Iterator[CacheOf]:
        """Yield the values that are directly made of what a cache writes."""
        declared = derivation.declaration
        if isinstance(declared, MemberDerivation) and len(declared.root.tables) == 1:
            here = is_one_of(declared.root.primary_key, [derivation.key_of(root)])
            yield from self._touched(connection, _change(declared.column, here), limit)

    def _of_relationship(
        self, connection: Connection, state: InstanceState[Any], prop: RelationshipProperty[Any], limit: int
    ) -> Iterator[CacheOf]:
        """Yield the values that rows touch which come to an object, or leave it: they hold its key."""
        links = {far: near for near, far in prop.synchronize_pairs}
        for table in {far.table for far in links}:
            own = {far.name: near for far, near in links.items() if far.table is table}
            held = and_(*(table.columns[name] == near for name, near in own.items()))
            rows = {part.name: part for part in table.columns}
            for near_table in {near.table for near in own.values()}:
                for here in _row_of(state, near_table):
                    for change in (
                        _PossibleChange(table, frozenset(own), own, here),
                        _PossibleChange(table, frozenset(own), rows, and_(held, here)),
                    ):
                        yield from self._touched(connection, change, limit)

    def _touched(self, connection: Connection, change: _PossibleChange, limit: int) -> Iterator[CacheOf]:
        """Yield the objects that a change touches, each with its derivation."""
        for derivation, way in self._ways(change):
            if change.row.keys() >= set(way.spec.columns):
                query = way.roots(self._touches(way, change).c).limit(limit)
                for key in connection.execute(query):
                    yield derivation.id, derivation.name_with(connection, tuple(key))

    def _ways(self, change: _PossibleChange) -> Iterator[tuple[RegisteredDerivation, Way]]:
        """Yield the ways for which a change counts."""
        for derivation in self.matcher.registry:
            for way in () if derivation.plan is None else derivation.plan.ways:
                counts = way.spec.table == change.table.fullname and not change.changed.isdisjoint(way.spec.counting)
                if counts and way.spec.role != "overwritten":
                    yield derivation, way

    def _touches(self, way: Way, change: _PossibleChange) -> FromClause:
        """Return the touches of the row, as its columns are now."""
        is_text = self.matcher.dialect.name == "postgresql"
        values = (
            (cast(change.row[name], Text) if is_text else change.row[name]).label(f"v{place}")
            for place, name in enumerate(way.spec.columns, 1)
        )
        return select(*values).where(change.here).subquery("touches")


def _change(column: Column[Any], here: ColumnElement[bool]) -> _PossibleChange:
    row = {part.name: part for part in column.table.columns}
    return _PossibleChange(column.table, frozenset([column.name]), row, here)


def _row_of(state: InstanceState[Any], table: Any) -> Iterator[ColumnElement[bool]]:
    """Yield the condition that picks an object's row of a table of its class, if the class has its key."""
    with suppress(UnmappedColumnError):
        key = list(table.primary_key.columns)
        members = [state.mapper.get_property_by_column(part).key for part in key]
        yield is_one_of(key, [tuple(getattr(state.obj(), member) for member in members)])
