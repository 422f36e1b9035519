"""Dependencies of a failed load: all that may have been the reason, so that mending it runs the cache again."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import FromClause
from sqlalchemy.orm import InstanceState, Mapper

from afterwork.derived.manifest.reads import QueryRead, Reads
from afterwork.derived.tracking.link_rows import MemberLookup
from afterwork.derived.tracking.mapped_tables import MappedTables, TrackedColumns
from afterwork.derived.tracking.mapping_clauses import identity_of
from afterwork.derived.tracking.relationship_reads import TrackedRelationship
from afterwork.store.journal.tracked_table import EVERY_COLUMN

EAGER_LOADERS = ("joined", False, "selectin", "subquery", "immediate")
"""Values of `lazy` with which a relationship is loaded together with its object."""


def add_failed_object(tables: MappedTables, reads: Reads, mapper: Mapper[Any], identity: Sequence[Any]) -> None:
    """Add reads for an object that could not be loaded: all columns of its rows, and of rows loaded with it."""
    for subclass in mapper.self_and_descendants:
        for table in filter(None, map(tables.tables.of, subclass.tables)):
            tables.add_row(reads, TrackedColumns(table, EVERY_COLUMN), subclass, identity)
    for other in _loaded_with(mapper):
        _add_all_rows(tables, reads, other)


def add_failed_relationship(
    tables: MappedTables, reads: Reads, relationship: TrackedRelationship, state: InstanceState[Any]
) -> None:
    """Add reads for a relationship that could not be loaded.

    All columns of the rows that it looked up count, and all rows that are loaded with them.
    """
    for part in relationship.own:
        tables.add_row(reads, replace(part, mask=EVERY_COLUMN), state.mapper, identity_of(state))
    lookups = {lookup.pattern.table_id: lookup for lookup in relationship.lookups}
    for lookup in lookups.values():
        _add_lookup(tables, reads, lookup, state)
    remote = relationship.prop.mapper
    for mapper in (remote, *_loaded_with(remote)):
        _add_all_rows(tables, reads, mapper, except_tables=lookups)


def _add_lookup(tables: MappedTables, reads: Reads, lookup: MemberLookup, state: InstanceState[Any]) -> None:
    table = tables.tables.by_id[lookup.pattern.table_id]
    values = [state.dict.get(name) for name in lookup.members]
    key = None if None in values else tables.query_key(table, lookup.pattern.equal, values)
    pattern = lookup.pattern if key is not None else QueryRead(table.id, (), 0)
    reads.add_query(replace(pattern, columns=EVERY_COLUMN), key or "")


def _add_all_rows(tables: MappedTables, reads: Reads, mapper: Mapper[Any], except_tables: Collection[int] = ()) -> None:
    for table in filter(None, map(tables.tables.of, _tables_with_subclasses(mapper))):
        if table.id not in except_tables:
            reads.add_query(QueryRead(table.id, (), EVERY_COLUMN), "")


def _tables_with_subclasses(mapper: Mapper[Any]) -> set[FromClause]:
    return {table for subclass in mapper.self_and_descendants for table in subclass.tables}


def _loaded_with(mapper: Mapper[Any]) -> Iterator[Mapper[Any]]:
    """Yield the classes of the objects that are loaded together with one of a class."""
    known = {mapper}
    waiting = [mapper]
    while waiting:
        for prop in waiting.pop().relationships:
            if prop.lazy in EAGER_LOADERS and prop.mapper not in known:
                known.add(prop.mapper)
                waiting.append(prop.mapper)
                yield prop.mapper
