"""Dependencies that the code of a cache names itself."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ClauseElement, Table, inspect
from sqlalchemy.orm import Composite, InstanceState, Mapper, QueryableAttribute, RelationshipProperty

from afterwork.derived.manifest.read_pattern import QueryRead
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.mapped_tables import TrackedColumns, columns_in
from afterwork.derived.tracking.member_dependencies import MemberDependencies
from afterwork.derived.tracking.relationships import clauses_of, identity_of
from afterwork.errors import BadRequest, shown
from afterwork.store.journal.tracked_table import TrackedTable


def name_dependency(plans: MemberDependencies, reads: Reads, thing: Any) -> None:
    """Depend on all that a class, a member of a class, an object or a table is made of.

    Raises `NotWatched`, and `BadRequest` if the thing is none of these.
    """
    places = plans.mapped_tables
    found = inspect(thing, raiseerr=False)
    if isinstance(thing, Table):
        _on_rows(reads, [_whole(places.table(thing, thing.fullname))])
    elif isinstance(found, Mapper):
        parts = [part for kind in places.classes_of(found) for part in places.tables_of(kind)]
        _on_rows(reads, [_whole(part.table) for part in parts])
    elif isinstance(found, QueryableAttribute) and isinstance(found.parent, Mapper):
        _on_rows(reads, places.tables_of(found.parent))
        _on_rows(reads, places.columns_by_table(columns_in(*_clauses(found)), str(found)))
    elif isinstance(found, InstanceState):
        for part in places.tables_of(found.mapper) if found.key is not None else ():
            places.add_row(reads, _whole(part.table), found.mapper, identity_of(found))
    else:
        raise BadRequest(
            f"aw.depends_on({shown(thing)}) is no dependency. Name a mapped class, a member of it as Order.amount, "
            "an object or a Table."
        )


def _clauses(attribute: QueryableAttribute[Any]) -> Iterable[ClauseElement]:
    prop = getattr(attribute, "property", None)
    if isinstance(prop, RelationshipProperty):
        return clauses_of(prop)
    if isinstance(prop, Composite):
        return [column for part in prop.props for column in part.columns]
    return [attribute.__clause_element__()]


def _whole(watch: TrackedTable) -> TrackedColumns:
    return TrackedColumns(watch, watch.mask(watch.columns))


def _on_rows(reads: Reads, parts: Iterable[TrackedColumns]) -> None:
    for part in parts:
        reads.add_query(QueryRead(part.table.id, (), part.mask), "")
