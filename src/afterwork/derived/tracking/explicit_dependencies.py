"""The dependencies that the code of a cache declares: `aw.passed` and `aw.depends_on`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ClauseElement, Table, inspect
from sqlalchemy.orm import Composite, InstanceState, Mapper, QueryableAttribute, RelationshipProperty

from afterwork import clock
from afterwork.derived.manifest.reads import QueryRead, Reads
from afterwork.derived.tracking.hidden_state import ACTIVE
from afterwork.derived.tracking.mapped_tables import MappedTables, TrackedColumns
from afterwork.derived.tracking.mapping_clauses import columns_in, identity_of
from afterwork.derived.tracking.relationship_reads import clauses_of
from afterwork.errors import BadRequest, shown
from afterwork.model.utc_datetime import aware
from afterwork.store.journal.tracked_table import TrackedTable


def add_dependency(tables: MappedTables, reads: Reads, thing: Any) -> None:
    """Add reads of all that a class, a member of a class, an object or a table consists of.

    Raises `NotWatched`, and `BadRequest` for anything else.
    """
    inspected = inspect(thing, raiseerr=False)
    if isinstance(thing, Table):
        _add_all_rows(reads, [_all_columns(tables.table(thing, thing.fullname))])
    elif isinstance(inspected, Mapper):
        parts = [part for mapper in tables.classes_of(inspected) for part in tables.tables_of(mapper)]
        _add_all_rows(reads, [_all_columns(part.table) for part in parts])
    elif isinstance(inspected, QueryableAttribute) and isinstance(inspected.parent, Mapper):
        _add_all_rows(reads, tables.tables_of(inspected.parent))
        _add_all_rows(reads, tables.columns_by_table(columns_in(*_clauses(inspected)), str(inspected)))
    elif isinstance(inspected, InstanceState):
        for part in tables.tables_of(inspected.mapper) if inspected.key is not None else ():
            tables.add_row(reads, _all_columns(part.table), inspected.mapper, identity_of(inspected))
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


def _all_columns(table: TrackedTable) -> TrackedColumns:
    return TrackedColumns(table, table.mask(table.columns))


def _add_all_rows(reads: Reads, parts: Iterable[TrackedColumns]) -> None:
    for part in parts:
        reads.add_query(QueryRead(part.table.id, (), part.mask), "")


def passed(moment: datetime) -> bool:
    """Return whether a timestamp has passed. A cache that was told "not yet" runs again when it has, without polling.

    In a cache, the clock stands still while it runs; elsewhere it is the clock of this machine.
    Raises `NaiveDatetime` for a timestamp without a time zone, also for one that comes from a column without: if that
    means UTC, say so by `.replace(tzinfo=UTC)`.
    """
    return clock.passed(aware(moment), clock.SystemClock())


def depends_on(*things: object) -> None:
    """Run the cache again when any of these has changed, whether it is read or not. Elsewhere, this does nothing.

    A mapped class or a `Table`: all rows, with all columns. A member of a class, as `Order.amount`: which objects
    exist, and this member of each; for a relationship, which objects it links. An object: all columns of its row.
    Raises `NotWatched` for what changes unnoticed, and `BadRequest` for anything else.
    """
    listener = ACTIVE.get()
    if listener is not None:
        for thing in things:
            listener.depends_on(thing)
