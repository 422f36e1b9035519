"""The dependencies of each member of a model's classes, analysed once and shared by all recorders."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Dialect
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipProperty

from afterwork.derived.tracking.batch_loading import BatchLoader, batch_loader_of
from afterwork.derived.tracking.mapped_tables import MappedTables, TrackedColumns
from afterwork.derived.tracking.mapping_clauses import columns_in, is_query, tables_in
from afterwork.derived.tracking.relationship_analysis import relationship_of
from afterwork.derived.tracking.relationship_reads import TrackedRelationship
from afterwork.store.journal.tracked_table import TrackedTables


@dataclass(frozen=True)
class ColumnMember:
    """A member with a value: the columns of its object's rows that it is made of.

    `expression` is set if it reads more than these.
    """

    columns: Sequence[TrackedColumns] = ()
    expression: ColumnElement[Any] | None = None


@dataclass(frozen=True, eq=False)
class MemberDependencies:
    """The members of a model, as the tracked tables of one database have them."""

    tables: TrackedTables
    dialect: Dialect
    _members: dict[tuple[Mapper[Any], str], ColumnMember] = field(default_factory=dict)
    _relationships: dict[tuple[Mapper[Any], str], TrackedRelationship] = field(default_factory=dict)
    _batch_loaders: dict[RelationshipProperty[Any], BatchLoader | None] = field(default_factory=dict)

    @cached_property
    def mapped_tables(self) -> MappedTables:
        return MappedTables(self.tables, self.dialect)

    def member(self, mapper: Mapper[Any], key: str) -> ColumnMember:
        """Return the dependencies of a member with a value. Raises `NotWatched`."""
        if (mapper, key) not in self._members:
            self._members[mapper, key] = self._analyse(mapper, key)
        return self._members[mapper, key]

    def relationship(self, mapper: Mapper[Any], key: str) -> TrackedRelationship:
        """Return the dependencies of a relationship. Raises `NotWatched`."""
        if (mapper, key) not in self._relationships:
            prop = mapper.relationships[key]
            self._relationships[mapper, key] = relationship_of(prop, mapper, self.mapped_tables)
        return self._relationships[mapper, key]

    def batch_loader(self, prop: RelationshipProperty[Any]) -> BatchLoader | None:
        """Return the loader of a relationship for many objects; None if it is loaded for each object alone."""
        if prop not in self._batch_loaders:
            self._batch_loaders[prop] = batch_loader_of(prop, self.tables)
        return self._batch_loaders[prop]

    def _analyse(self, mapper: Mapper[Any], key: str) -> ColumnMember:
        prop = mapper.attrs.get(key)
        if not isinstance(prop, ColumnProperty):
            return ColumnMember()
        # The key of an object is the same in each table of its class.
        expressions = prop.columns[:1] if prop.columns[0].primary_key else prop.columns
        own = [column for column in columns_in(*expressions) if column.table in mapper.tables]
        reads_more = tables_in(*expressions) - set(mapper.tables) or is_query(mapper.persist_selectable)
        columns = self.mapped_tables.columns_by_table(own, f"{mapper.class_.__name__}.{key}")
        return ColumnMember(columns, prop.columns[0] if reads_more else None)
