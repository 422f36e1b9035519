"""The dependencies of reading a relationship: which objects it leads to, and in which order."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import FromClause
from sqlalchemy.orm import InstanceState, KeyFuncDict, RelationshipProperty
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.sql.elements import ClauseElement

from afterwork.compat.sqlalchemy_objects import key_columns_of, objects_in
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.link_rows import LinkRows, MemberLookup, values_of
from afterwork.derived.tracking.mapped_tables import MappedTables, TrackedColumns
from afterwork.derived.tracking.mapping_clauses import identity_of, tables_in

QUERYING_LOADERS = ("dynamic", "write_only")
"""Values of `lazy` with which a relationship returns a query, which is tracked as one, instead of objects."""


@dataclass(frozen=True)
class TrackedRelationship:
    """The dependencies of one relationship of a class, whichever object it is read of.

    `own`: columns of that object. `near`: its members, where it comes from a query. `target`: the members that hold the
    primary key of the remote class, where the relationship goes by that. `lookups`: which remote or link rows exist.
    `remote`: columns of each remote object; `remote_exists`: also that it exists. `links`: the link rows, where they
    alone don't tell which remote rows exist.
    """

    prop: RelationshipProperty[Any]
    own: Sequence[TrackedColumns] = ()
    near: Sequence[str] = ()
    target: Sequence[str] = ()
    lookups: Sequence[MemberLookup] = ()
    remote: Sequence[TrackedColumns] = ()
    remote_exists: bool = False
    links: LinkRows | None = None

    @cached_property
    def tables(self) -> Set[FromClause]:
        return tables_in(self.prop.entity.selectable, *clauses_of(self.prop))

    def record(self, tables: MappedTables, reads: Reads, state: InstanceState[Any], value: Any) -> None:
        """Add what a read of this relationship of an object has read, when it had this value."""
        for part in self.own:
            tables.add_row(reads, part, state.mapper, identity_of(state))
        if self.target:
            self._record_target(tables, reads, state, value)
        for lookup in self.lookups:
            _record_lookup(tables, reads, lookup, values_of(state, lookup.members))
        if self.remote or self.remote_exists:
            for obj in objects_in(value):
                self._record_remote(tables, reads, instance_state(obj))
        if self.links is not None and state.session is not None:
            for values in self.links.values(state.session, state):
                self._record_linked(tables, reads, self.links.remote_lookup, values)
        if isinstance(value, KeyFuncDict):
            self._record_keys(tables, reads, value)

    def _record_linked(
        self, tables: MappedTables, reads: Reads, lookup: MemberLookup | None, values: Sequence[Any]
    ) -> None:
        if lookup is not None:
            _record_lookup(tables, reads, lookup, values)
        elif None not in values:
            tables.add_existence(reads, self.prop.mapper, values)

    def _record_target(self, tables: MappedTables, reads: Reads, state: InstanceState[Any], value: Any) -> None:
        identity = () if value is None else identity_of(instance_state(value))
        identity = identity or tuple(values_of(state, self.target))
        if None not in identity:
            tables.add_existence(reads, self.prop.mapper, identity)

    def _record_remote(self, tables: MappedTables, reads: Reads, state: InstanceState[Any]) -> None:
        if state.key is None:
            return
        if self.remote_exists:
            tables.add_existence(reads, self.prop.mapper, identity_of(state))
        for part in self.remote:
            tables.add_row(reads, part, state.mapper, identity_of(state))

    def _record_keys(self, tables: MappedTables, reads: Reads, value: "KeyFuncDict[Any, Any]") -> None:
        """Read the members from which a dictionary of objects makes its keys. Some key functions bypass attributes."""
        for obj in list(value.values()):
            value.keyfunc(obj)
            state = instance_state(obj)
            for part in tables.columns_by_table(key_columns_of(value, state.mapper), self.prop.key):
                tables.add_row(reads, part, state.mapper, identity_of(state))


def clauses_of(prop: RelationshipProperty[Any]) -> list[ClauseElement]:
    """Return all clauses by which a relationship selects and orders its objects."""
    clauses = [prop.primaryjoin, prop.secondaryjoin, prop.secondary, *(prop.order_by or ())]
    return [clause for clause in clauses if clause is not None]


def _record_lookup(tables: MappedTables, reads: Reads, lookup: MemberLookup, values: Sequence[Any]) -> None:
    if None in values:
        return  # nothing equals null, whatever rows there are
    table = tables.tables.by_id[lookup.pattern.table_id]
    key = tables.query_key(table, lookup.pattern.equal, values)
    if key is None:
        reads.add_query(lookup.broad or lookup.pattern, "")
    else:
        reads.add_query(lookup.pattern, key)
