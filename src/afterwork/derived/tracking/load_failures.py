"""What is noted where objects could not be loaded: all that may have been the reason, so that mending it counts."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import FromClause
from sqlalchemy.orm import InstanceState, Mapper

from afterwork.derived.manifest.read_pattern import QueryRead
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.link_rows import MemberLookup
from afterwork.derived.tracking.mapped_tables import MappedTables, TrackedColumns
from afterwork.derived.tracking.relationships import TrackedRelationship, identity_of
from afterwork.store.journal.tracked_table import EVERY_COLUMN

EAGER = ("joined", False, "selectin", "subquery", "immediate")
"""Ends of these kinds are loaded together with their object."""


def not_loaded(places: MappedTables, reads: Reads, mapper: Mapper[Any], identity: Sequence[Any]) -> None:
    """Note that an object could not be loaded: any column of its rows may be why, or any row that comes with it."""
    for below in mapper.self_and_descendants:
        for watch in filter(None, map(places.tables.of, below.tables)):
            places.add_row(reads, TrackedColumns(watch, EVERY_COLUMN), below, identity)
    for other in _coming_with(mapper):
        _all_rows(places, reads, other)


def end_not_loaded(places: MappedTables, reads: Reads, end: TrackedRelationship, state: InstanceState[Any]) -> None:
    """Note that an association end of an object could not be loaded. Of the rows that it asked for, all columns count;
    of those that come with them, all rows."""
    own = [replace(part, mask=EVERY_COLUMN) for part in end.own]
    for part in own:
        places.add_row(reads, part, state.mapper, identity_of(state))
    asked = {question.pattern.table_id: question for question in end.questions}
    for question in asked.values():
        _asked(places, reads, question, state)
    for mapper in (end.prop.mapper, *_coming_with(end.prop.mapper)):
        _all_rows(places, reads, mapper, besides=asked)


def _asked(places: MappedTables, reads: Reads, question: MemberLookup, state: InstanceState[Any]) -> None:
    watch = places.tables.by_id[question.pattern.table_id]
    values = [state.dict.get(name) for name in question.members]
    key = None if None in values else places.query_key(watch, question.pattern.equal, values)
    shape = question.pattern if key is not None else QueryRead(watch.id, (), 0)
    reads.add_query(replace(shape, columns=EVERY_COLUMN), key or "")


def _all_rows(places: MappedTables, reads: Reads, mapper: Mapper[Any], besides: Collection[int] = ()) -> None:
    for watch in filter(None, map(places.tables.of, _tables(mapper))):
        if watch.id not in besides:
            reads.add_query(QueryRead(watch.id, (), EVERY_COLUMN), "")


def _tables(mapper: Mapper[Any]) -> set[FromClause]:
    """The tables of a class and its subclasses: an object of one is one of the class, too."""
    return {table for below in mapper.self_and_descendants for table in below.tables}


def _coming_with(mapper: Mapper[Any]) -> Iterator[Mapper[Any]]:
    """The classes of the objects that are loaded together with one of a class."""
    known = {mapper}
    waiting = [mapper]
    while waiting:
        for end in waiting.pop().relationships:
            if end.lazy in EAGER and end.mapper not in known:
                known.add(end.mapper)
                waiting.append(end.mapper)
                yield end.mapper
