"""What reading the members of a model's objects depends on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Dialect
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipProperty

from afterwork.derived.tracking.batch_loading import BatchLoader, batch_loader_of
from afterwork.derived.tracking.mapped_tables import MappedTables, TrackedColumns, columns_in, is_query, tables_in
from afterwork.derived.tracking.relationships import TrackedRelationship, relationship_of
from afterwork.store.journal.tracked_table import TrackedTables


@dataclass(frozen=True)
class ColumnMember:
    """`parts` are the columns that a member is made of, in the rows of its object. `asks` is an expression that reads
    more than that."""

    parts: Sequence[TrackedColumns] = ()
    asks: ColumnElement[Any] | None = None


@dataclass(frozen=True, eq=False)
class MemberDependencies:
    """The members of a model, each looked at once, for all recorders of one database."""

    tables: TrackedTables
    dialect: Dialect
    _members: dict[tuple[Mapper[Any], str], ColumnMember] = field(default_factory=dict)
    _ends: dict[tuple[Mapper[Any], str], TrackedRelationship] = field(default_factory=dict)
    _siblings: dict[RelationshipProperty[Any], BatchLoader | None] = field(default_factory=dict)

    @cached_property
    def mapped_tables(self) -> MappedTables:
        return MappedTables(self.tables, self.dialect)

    def member(self, mapper: Mapper[Any], key: str) -> ColumnMember:
        """What a member with a value is made of. Raises `NotWatched`."""
        if (mapper, key) not in self._members:
            self._members[mapper, key] = self._look_at(mapper, key)
        return self._members[mapper, key]

    def relationship(self, mapper: Mapper[Any], key: str) -> TrackedRelationship:
        """What an association end depends on. Raises `NotWatched`."""
        if (mapper, key) not in self._ends:
            self._ends[mapper, key] = relationship_of(mapper.relationships[key], mapper, self.mapped_tables)
        return self._ends[mapper, key]

    def batch_loader(self, prop: RelationshipProperty[Any]) -> BatchLoader | None:
        """How an end is loaded for many objects at once; None if it is loaded one by one."""
        if prop not in self._siblings:
            self._siblings[prop] = batch_loader_of(prop, self.tables)
        return self._siblings[prop]

    def _look_at(self, mapper: Mapper[Any], key: str) -> ColumnMember:
        prop = mapper.attrs.get(key)
        if not isinstance(prop, ColumnProperty):
            return ColumnMember()
        # The key of an object is the same in each table of its class.
        expressions = prop.columns[:1] if prop.columns[0].primary_key else prop.columns
        own = [column for column in columns_in(*expressions) if column.table in mapper.tables]
        more = tables_in(*expressions) - set(mapper.tables) or is_query(mapper.persist_selectable)
        parts = self.mapped_tables.columns_by_table(own, f"{mapper.class_.__name__}.{key}")
        return ColumnMember(parts, prop.columns[0] if more else None)
