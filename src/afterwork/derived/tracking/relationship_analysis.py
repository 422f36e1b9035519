"""Finding out what a relationship depends on, from its join conditions."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import FromClause, Table
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnClause, ColumnElement, TextClause
from sqlalchemy.sql.selectable import SelectBase

from afterwork.compat.sqlalchemy_statements import is_remote
from afterwork.derived.manifest.reads import QueryRead
from afterwork.derived.tracking.link_rows import LinkRows, MemberLookup
from afterwork.derived.tracking.mapped_tables import MappedTables, TrackedColumns
from afterwork.derived.tracking.mapping_clauses import (
    ColumnPairs,
    as_inherited,
    columns_in,
    discriminator_columns,
    is_query,
    order_columns,
    split_join,
    tables_in,
    without_key,
)
from afterwork.derived.tracking.relationship_reads import QUERYING_LOADERS, TrackedRelationship, clauses_of
from afterwork.store.journal.tracked_table import TrackedTable


def relationship_of(prop: RelationshipProperty[Any], mapper: Mapper[Any], tables: MappedTables) -> TrackedRelationship:
    """Find out what a relationship of a class's objects depends on. Raises `NotWatched`."""
    if prop.lazy in QUERYING_LOADERS:
        return TrackedRelationship(prop)
    relationship = _Analysis(prop, mapper, tables).relationship if prop.entity.is_mapper else None
    relationship = relationship or _all_rows(prop, tables)
    classes = [MemberLookup(lookup) for lookup in tables.class_lookups(prop.mapper)]
    return replace(relationship, lookups=[*relationship.lookups, *classes]) if classes else relationship


def _all_rows(prop: RelationshipProperty[Any], tables: MappedTables) -> TrackedRelationship:
    """Depend on all rows of all tables involved, for a relationship that is too complicated.

    Of their columns, those count that decide what it leads to.
    """
    involved = tables_in(prop.entity.selectable, *clauses_of(prop))
    return TrackedRelationship(prop, lookups=_lookups_of_all(involved, tables, _name(prop), _deciding_columns(prop)))


def _deciding_columns(prop: RelationshipProperty[Any]) -> Sequence[ColumnClause[Any]] | None:
    """Return the columns that decide which objects a relationship leads to; None if its clauses don't name them all.

    A value that is stored in another column must not seem to be made of itself.
    """
    is_plain = prop.entity.is_mapper and isinstance(prop.secondary, Table | None)
    if not is_plain or is_query(prop.mapper.selectable):
        return None
    clauses = [clause for clause in clauses_of(prop) if clause is not prop.secondary]
    inherited = (mapper.inherit_condition for mapper in prop.mapper.iterate_to_root())
    clauses += [condition for condition in inherited if condition is not None]
    elements = [element for clause in clauses for element in visitors.iterate(clause)]
    if any(isinstance(element, FromClause | SelectBase | TextClause) for element in elements):
        return None
    columns = [element for element in elements if isinstance(element, ColumnClause)]
    if not all(isinstance(column.table, Table) for column in columns):
        return None
    return [*columns, *discriminator_columns(prop.mapper)]


def _lookups_of_all(
    tables: Iterable[FromClause],
    mapped: MappedTables,
    what: str,
    columns: Sequence[ColumnClause[Any]] | None = None,
) -> list[MemberLookup]:
    """Return the lookups of all rows of some tables, by these columns of theirs; without any, by every one."""
    tracked = [(table, mapped.table(table, what)) for table in tables]
    masks = {
        part: part.mask(
            part.columns if columns is None else [column.name for column in columns if column.table is table]
        )
        for table, part in tracked
    }
    return [MemberLookup(QueryRead(part.id, (), mask)) for part, mask in masks.items()]


def _name(prop: RelationshipProperty[Any]) -> str:
    return f"{prop.parent.class_.__name__}.{prop.key}"


class _Analysis:
    """The analysis of one relationship. `relationship` is None where its conditions are too complicated."""

    def __init__(self, prop: RelationshipProperty[Any], mapper: Mapper[Any], tables: MappedTables) -> None:
        self.prop = prop
        self.remote = prop.mapper
        self.mapper = mapper
        self.tables = tables
        self.what = _name(prop)

    @property
    def relationship(self) -> TrackedRelationship | None:
        clauses = [self.prop.primaryjoin, *(self.prop.order_by or ())]
        if self.prop.secondaryjoin is not None:
            clauses.append(self.prop.secondaryjoin)
        if any(isinstance(element, SelectBase) for clause in clauses for element in visitors.iterate(clause)):
            return None
        if not is_query(self.mapper.persist_selectable):
            return self._from_table()
        near = self._members(column for column in columns_in(self.prop.primaryjoin) if not is_remote(column))
        from_table = None if near is None else self._from_table()
        return None if from_table is None or near is None else replace(from_table, near=near)

    def _from_table(self) -> TrackedRelationship | None:
        if is_query(self.remote.selectable):
            return self._to_query()
        return self._direct() if self.prop.secondary is None else self._through_links(self.prop.secondary)

    def _to_query(self) -> TrackedRelationship:
        """Analyse a relationship to objects that come from a query: any change of its tables may bring others."""
        near = [column for column in columns_in(*clauses_of(self.prop)) if column.table in self.mapper.tables]
        selectables = [self.remote.selectable] + ([] if self.prop.secondary is None else [self.prop.secondary])
        return TrackedRelationship(
            self.prop,
            own=self._own([column for column in near if not is_remote(column)]),
            lookups=_lookups_of_all(tables_in(*selectables), self.tables, self.what),
        )

    # Without a table between.

    def _direct(self) -> TrackedRelationship | None:
        pairs, rest = split_join(self.prop.primaryjoin)
        if pairs is None:
            return None
        own = self._own([local for local, _ in pairs] + [column for column in rest if not is_remote(column)])
        order = order_columns(self.prop)
        target = self._target(pairs) if not rest and not order else None
        if target:
            return TrackedRelationship(self.prop, own=own, target=target)
        conditions = [column for column in rest if is_remote(column)]
        remote_tables = {column.table for column in [*(remote for _, remote in pairs), *conditions]}
        if len(remote_tables) != 1 or not self._are_remote(order) or self._needs_other_rows(remote_tables):
            return None
        (table,) = remote_tables
        return self._to_table(table, pairs, own, [*conditions, *order, *discriminator_columns(self.remote)])

    def _to_table(
        self, table: Any, pairs: ColumnPairs, own: list[TrackedColumns], columns: Sequence[ColumnClause[Any]]
    ) -> TrackedRelationship | None:
        lookup = self._lookup(pairs, [column for column in columns if column.table is table])
        partial_rows = self._partial_rows(table, pairs)
        if lookup is None or (partial_rows is None and self._may_be_partial(table)):
            return None
        further = self.tables.columns_by_table([column for column in columns if column.table is not table], self.what)
        return TrackedRelationship(self.prop, own=own, lookups=[lookup], remote=further, links=partial_rows)

    def _target(self, pairs: ColumnPairs) -> Sequence[str] | None:
        """Return the members that hold the remote primary key, if the relationship goes by nothing else."""
        keys = self.remote.primary_key
        by_remote = {as_inherited(self.remote, remote): local for local, remote in pairs}
        if len(by_remote) != len(keys) or any(key not in by_remote for key in keys):
            return None
        return self._members(by_remote[key] for key in keys)

    def _partial_rows(self, table: Any, near: ColumnPairs) -> LinkRows | None:
        """Treat the rows of one table as link rows to their objects. Their rows in other tables may not exist yet."""
        by_key = {as_inherited(self.remote, column): column for column in table.primary_key}
        keys = self.remote.primary_key
        members = self._members(local for local, _ in near)
        if members is None or not self._may_be_partial(table) or any(key not in by_key for key in keys):
            return None
        # The table's own columns: those of the class would join its other tables.
        near_columns = tuple(table.columns[column.key] for _, column in near)
        return LinkRows(near_columns, members, tuple(by_key[key] for key in keys), None, self._is_of_class(table))

    def _may_be_partial(self, table: Any) -> bool:
        """Return whether a row of this table may exist before the other rows of its object do.

        A row of a parent table must exist first, where the database enforces that.
        """
        mappers = [mapper for mapper in self.remote.iterate_to_root() if not mapper.single]
        is_leaf = mappers[0].local_table is table
        return not is_leaf or (len(mappers) > 1 and self.tables.dialect.name == "sqlite")

    def _is_of_class(self, table: Any) -> ColumnElement[bool] | None:
        """Return the condition that a row is one of an object of the remote class, if this table tells."""
        discriminator = self.remote.polymorphic_on
        if discriminator is None or any(column.table is not table for column in columns_in(discriminator)):
            return None
        return discriminator.in_([mapper.polymorphic_identity for mapper in self.remote.self_and_descendants])

    def _needs_other_rows(self, tables: set[Any]) -> bool:
        """Return whether an object also needs a row in another table, and no column tells whether it exists."""
        return self.remote.polymorphic_on is None and any(table not in tables for table in self.remote.tables)

    # Through a link table.

    def _through_links(self, link: Any) -> TrackedRelationship | None:
        near, near_rest = split_join(self.prop.primaryjoin)
        assert self.prop.secondaryjoin is not None
        far, far_rest = split_join(self.prop.secondaryjoin)
        order = order_columns(self.prop)
        if near is None or far is None or near_rest or far_rest or not isinstance(link, Table):
            return None
        if any(remote.table is not link for _, remote in [*near, *far]):
            return None
        remote_order = [column for column in order if column.table is not link]
        if not self._are_remote(remote_order):
            return None
        lookup = self._lookup(near, [*(on for _, on in far), *(column for column in order if column.table is link)])
        links = self._links(near, far)
        if lookup is None or (links is None and not self._is_enforced(far)):
            return None
        remote = without_key([*(column for column, _ in far), *remote_order])
        return TrackedRelationship(
            self.prop,
            own=self._own([local for local, _ in near]),
            lookups=[lookup],
            remote=self.tables.columns_by_table(remote, self.what),
            remote_exists=True,
            links=links,
        )

    def _is_enforced(self, far: ColumnPairs) -> bool:
        """Return whether the database enforces that each link row has its remote row for as long as it exists."""
        is_one_table = self.remote.inherits is None and len(self.remote.tables) == 1
        has_keys = all(
            column.primary_key and any(key.column is column for key in on.foreign_keys) for column, on in far
        )
        return has_keys and is_one_table and self.tables.dialect.name != "sqlite"

    def _links(self, near: ColumnPairs, far: ColumnPairs) -> LinkRows | None:
        """Return the link rows, where they alone don't tell which remote rows exist."""
        members = self._members(local for local, _ in near)
        if members is None or self._is_enforced(far):
            return None
        near_columns = tuple(column for _, column in near)
        by_key = {as_inherited(self.remote, column): on for column, on in far}
        keys = self.remote.primary_key
        if len(by_key) == len(keys) and all(key in by_key for key in keys):
            return LinkRows(near_columns, members, tuple(by_key[key] for key in keys), None)
        tables = {column.table for column, _ in far}
        if len(tables) != 1 or self._needs_other_rows(tables) or any(map(self._may_be_partial, tables)):
            return None
        discriminators = [column for column in discriminator_columns(self.remote) if column.table in tables]
        usable, lookup = self._narrowed([(on, column) for column, on in far], discriminators)
        return LinkRows(near_columns, members, tuple(on for on, _ in usable), lookup)

    # For both.

    def _own(self, columns: Sequence[ColumnClause[Any]]) -> list[TrackedColumns]:
        """Return the columns of the object at hand, without its key."""
        if is_query(self.mapper.persist_selectable):
            return []
        return self.tables.columns_by_table(without_key(columns), self.what)

    def _lookup(self, pairs: ColumnPairs, columns: Sequence[ColumnClause[Any]]) -> MemberLookup | None:
        """Return the lookup by what the join equates. Columns whose values the journal lacks don't narrow it."""
        usable, lookup = self._narrowed(pairs, columns)
        members = self._members(local for local, _ in usable)
        return None if members is None else replace(lookup, members=members)

    def _narrowed(self, pairs: ColumnPairs, columns: Sequence[ColumnClause[Any]]) -> tuple[ColumnPairs, MemberLookup]:
        """Return the pairs by which a lookup of rows can be narrowed, and that lookup."""
        table = self.tables.table(pairs[0][1].table, self.what)
        usable = [pair for pair in pairs if self._is_linked(table, *pair)]
        unusable = [remote for local, remote in pairs if not self._is_linked(table, local, remote)]
        mask = table.mask_of_reads((column.name for column in [*columns, *unusable]), self.what)
        names = tuple(remote.name for _, remote in usable)
        broad = QueryRead(table.id, (), mask | table.mask_of_reads(names, self.what))
        return usable, MemberLookup(QueryRead(table.id, names, mask), broad=broad)

    def _is_linked(self, table: TrackedTable, local: ColumnClause[Any], remote: ColumnClause[Any]) -> bool:
        """Return whether the values of `local` can be looked up in the table's column `remote`."""
        near = self.tables.tables.of(local.table)
        return table.is_asked(remote.name) and (near is None or table.is_linked(remote.name, near, local.name))

    def _members(self, columns: Iterable[Any]) -> tuple[str, ...] | None:
        """Return the names of the members that are these columns; None if one isn't mapped."""
        try:
            return tuple(self.mapper.get_property_by_column(column).key for column in columns)
        except UnmappedColumnError:
            return None

    def _are_remote(self, columns: Iterable[ColumnClause[Any]]) -> bool:
        return all(column.table in self.remote.tables for column in columns)
