"""What reading an association end depends on: which objects there are at the other end, and in which order."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy import FromClause, Table
from sqlalchemy.orm import InstanceState, KeyFuncDict, Mapper, RelationshipProperty
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BooleanClauseList, ClauseElement, ColumnClause, ColumnElement
from sqlalchemy.sql.operators import and_
from sqlalchemy.sql.selectable import SelectBase

from afterwork.derived.manifest.read_pattern import QueryRead
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.link_rows import LinkRows, MemberLookup, values_of
from afterwork.derived.tracking.mapped_tables import (
    MappedTables,
    TrackedColumns,
    as_inherited,
    columns_in,
    discriminator_columns,
    equal_columns,
    is_query,
    tables_in,
)
from afterwork.store.journal.tracked_table import TrackedTable

Pairs = Sequence[tuple[ColumnClause[Any], ColumnClause[Any]]]

ASKED_BY_THEMSELVES = ("dynamic", "write_only")
"""Ends of these kinds give no objects, but something that runs a query, which is tracked as a query."""


@dataclass(frozen=True)
class TrackedRelationship:
    """What one association end of the objects of a class depends on, whichever object it is read of.

    `own`: columns of that object; `near`: its members, where it comes from a query. `target`: where the end goes by the
    primary key of the other class, the members that have it. `questions`: which rows there are. `far`: columns of each
    object found; `far_rows`: also that it exists. `links`: the rows between, where they alone don't say which far rows
    there are.
    """

    prop: RelationshipProperty[Any]
    own: Sequence[TrackedColumns] = ()
    near: Sequence[str] = ()
    target: Sequence[str] = ()
    questions: Sequence[MemberLookup] = ()
    far: Sequence[TrackedColumns] = ()
    far_rows: bool = False
    links: LinkRows | None = None

    @cached_property
    def tables(self) -> Set[FromClause]:
        """The tables that it has to do with."""
        return tables_in(self.prop.entity.selectable, *clauses_of(self.prop))

    def record(self, places: MappedTables, reads: Reads, state: InstanceState[Any], value: Any) -> None:
        """Note what reading this end of an object has read, when it had this value."""
        mapper, identity = state.mapper, identity_of(state)
        for part in self.own:
            places.add_row(reads, part, mapper, identity)
        if self.target:
            self._record_target(places, reads, state, value)
        for question in self.questions:
            self._record_question(places, reads, question, values_of(state, question.members))
        if self.far or self.far_rows:
            for obj in objects_in(value):
                self._record_far(places, reads, instance_state(obj))
        if self.links is not None and state.session is not None:
            for values in self.links.values(state.session, state):
                self._record_linked(places, reads, self.links.far, values)
        if isinstance(value, KeyFuncDict):
            self._record_keys(places, reads, value)

    def _record_linked(
        self, places: MappedTables, reads: Reads, far: MemberLookup | None, values: Sequence[Any]
    ) -> None:
        if far is not None:
            self._record_question(places, reads, far, values)
        elif None not in values:
            places.add_existence(reads, self.prop.mapper, values)

    def _record_target(self, places: MappedTables, reads: Reads, state: InstanceState[Any], value: Any) -> None:
        identity = () if value is None else identity_of(instance_state(value))
        identity = identity or tuple(values_of(state, self.target))
        if None not in identity:
            places.add_existence(reads, self.prop.mapper, identity)

    def _record_question(
        self, places: MappedTables, reads: Reads, question: MemberLookup, values: Sequence[Any]
    ) -> None:
        if None in values:
            return  # nothing is equal to null, whatever there is
        watch = places.tables.by_id[question.pattern.table_id]
        key = places.query_key(watch, question.pattern.equal, values)
        if key is None:
            reads.add_query(question.broad or question.pattern, "")
        else:
            reads.add_query(question.pattern, key)

    def _record_far(self, places: MappedTables, reads: Reads, state: InstanceState[Any]) -> None:
        if state.key is None:
            return
        if self.far_rows:
            places.add_existence(reads, self.prop.mapper, identity_of(state))
        for part in self.far:
            places.add_row(reads, part, state.mapper, identity_of(state))

    def _record_keys(self, places: MappedTables, reads: Reads, value: "KeyFuncDict[Any, Any]") -> None:
        """Read the members by which a dictionary of objects has its keys. Some ways to have them tell nobody."""
        columns_of = getattr(value.keyfunc, "_cols", None)
        for obj in list(value.values()):
            value.keyfunc(obj)
            state = instance_state(obj)
            for part in places.columns_by_table(columns_of(state.mapper), self.prop.key) if columns_of else ():
                places.add_row(reads, part, state.mapper, identity_of(state))


def relationship_of(prop: RelationshipProperty[Any], mapper: Mapper[Any], places: MappedTables) -> TrackedRelationship:
    """Find out what an end of the objects of a class depends on. Raises `NotWatched`."""
    if prop.lazy in ASKED_BY_THEMSELVES:
        return TrackedRelationship(prop)
    if not prop.entity.is_mapper:
        return _unclear(prop, places)
    return _Analysis(prop, mapper, places).end or _unclear(prop, places)


def clauses_of(prop: RelationshipProperty[Any]) -> list[ClauseElement]:
    """Everything by which an end finds its objects, and puts them in order."""
    clauses = [prop.primaryjoin, prop.secondaryjoin, prop.secondary, *_order(prop)]
    return [clause for clause in clauses if clause is not None]


def objects_in(value: Any) -> Sequence[object]:
    """The objects in the value of an end, whatever class of collection it is."""
    if value is None:
        return ()
    adapter = getattr(value, "_sa_adapter", None)
    return (value,) if adapter is None else list(adapter)


class _Analysis:
    """Takes the conditions of a relationship apart. `end` is None where they are not understood."""

    def __init__(self, prop: RelationshipProperty[Any], mapper: Mapper[Any], places: MappedTables) -> None:
        self.prop = prop
        self.mapper = mapper
        self.places = places
        self.what = f"{prop.parent.class_.__name__}.{prop.key}"

    @property
    def end(self) -> TrackedRelationship | None:
        clauses = [self.prop.primaryjoin, *_order(self.prop)]
        if self.prop.secondaryjoin is not None:
            clauses.append(self.prop.secondaryjoin)
        if any(isinstance(found, SelectBase) for clause in clauses for found in visitors.iterate(clause)):
            return None
        if not is_query(self.mapper.persist_selectable):
            return self._found()
        near = self._members(column for column in columns_in(self.prop.primaryjoin) if not _is_remote(column))
        found = None if near is None else self._found()
        return None if found is None or near is None else replace(found, near=near)

    def _found(self) -> TrackedRelationship | None:
        if is_query(self.prop.mapper.selectable):
            return self._to_query()
        return self._direct() if self.prop.secondary is None else self._by_link(self.prop.secondary)

    def _direct(self) -> TrackedRelationship | None:
        pairs, rest = _pairs(self.prop.primaryjoin)
        if pairs is None:
            return None
        near = [local for local, _ in pairs] + [column for column in rest if not _is_remote(column)]
        order = list(columns_in(*_order(self.prop)))
        target = self._target(pairs) if not rest and not order else None
        if target:
            return TrackedRelationship(self.prop, own=self._own(near), target=target)
        further = [column for column in rest if _is_remote(column)]
        asked = {column.table for column in [*(remote for _, remote in pairs), *further]}
        if len(asked) != 1 or not self._is_known(order) or self._needs_rows_below(asked):
            return None
        table = asked.pop()
        columns = [*further, *order, *discriminator_columns(self.prop.mapper)]
        question = self._question(pairs, [column for column in columns if column.table is table])
        halves = self._halves(table, pairs)
        if question is None or (halves is None and self._has_halves(table)):
            return None
        other = self.places.columns_by_table([column for column in columns if column.table is not table], self.what)
        return TrackedRelationship(self.prop, own=self._own(near), questions=[question], far=other, links=halves)

    def _to_query(self) -> TrackedRelationship:
        """An end to objects that come from a query: whatever changes in its tables may bring others."""
        near = [column for column in columns_in(*clauses_of(self.prop)) if column.table in self.mapper.tables]
        far = [self.prop.mapper.selectable] + ([] if self.prop.secondary is None else [self.prop.secondary])
        return TrackedRelationship(
            self.prop,
            own=self._own([column for column in near if not _is_remote(column)]),
            questions=_all_of(tables_in(*far), self.places, self.what),
        )

    def _by_link(self, link: Any) -> TrackedRelationship | None:
        near_pairs, near_rest = _pairs(self.prop.primaryjoin)
        assert self.prop.secondaryjoin is not None
        far_pairs, far_rest = _pairs(self.prop.secondaryjoin)
        order = list(columns_in(*_order(self.prop)))
        if near_pairs is None or far_pairs is None or near_rest or far_rest or not isinstance(link, Table):
            return None
        if any(remote.table is not link for _, remote in [*near_pairs, *far_pairs]):
            return None
        if not self._is_known([column for column in order if column.table is not link]):
            return None
        on_link = [*(column for _, column in far_pairs), *(column for column in order if column.table is link)]
        question = self._question(near_pairs, on_link)
        if question is None:
            return None
        far = [*(column for column, _ in far_pairs), *(column for column in order if column.table is not link)]
        links = self._links(near_pairs, far_pairs)
        if links is None and not self._is_sure(far_pairs):
            return None
        return TrackedRelationship(
            self.prop,
            own=self._own([local for local, _ in near_pairs]),
            questions=[question],
            far=self.places.columns_by_table([column for column in far if not _is_key(column)], self.what),
            far_rows=True,
            links=links,
        )

    def _is_sure(self, far: Pairs) -> bool:
        """Whether each row between has its far row for as long as it is there: the database sees to it."""
        mapper = self.prop.mapper
        is_whole = mapper.inherits is None and len(mapper.tables) == 1
        sure = all(column.primary_key and any(key.column is column for key in on.foreign_keys) for column, on in far)
        return sure and is_whole and self.places.dialect.name != "sqlite"

    def _links(self, near: Pairs, far: Pairs) -> LinkRows | None:
        """The rows between, where they alone don't say which far rows there are."""
        members = self._members(local for local, _ in near)
        if members is None or self._is_sure(far):
            return None
        between = tuple(column for _, column in near)
        by_key = {as_inherited(self.prop.mapper, column): on for column, on in far}
        keys = self.prop.mapper.primary_key
        if len(by_key) == len(keys) and all(key in by_key for key in keys):
            return LinkRows(between, members, tuple(by_key[key] for key in keys), None)
        tables = {column.table for column, _ in far}
        if len(tables) != 1 or self._needs_rows_below(tables) or any(map(self._has_halves, tables)):
            return None
        kinds = [column for column in discriminator_columns(self.prop.mapper) if column.table in tables]
        narrow, question = self._asked([(on, column) for column, on in far], kinds)
        return LinkRows(between, members, tuple(on for on, _ in narrow), question)

    def _has_halves(self, asked: Any) -> bool:
        """Whether a row that is asked for may be there before the object's other rows are. A row of a table above must
        be there first, where the database sees to that."""
        above = self.prop.mapper.iterate_to_root()
        tables = [mapper.local_table for mapper in above if not mapper.single]
        return tables[0] is not asked or (len(tables) > 1 and self.places.dialect.name == "sqlite")

    def _halves(self, asked: Any, near: Pairs) -> LinkRows | None:
        """The rows that are asked for, as rows between: the other rows of their objects may be yet to come."""
        mapper = self.prop.mapper
        by_key = {as_inherited(mapper, column): column for column in asked.primary_key}
        members = self._members(local for local, _ in near)
        if members is None or not self._has_halves(asked) or any(key not in by_key for key in mapper.primary_key):
            return None
        # The table's own columns: those of the class would join its other tables.
        between = tuple(asked.columns[column.key] for _, column in near)
        keys = tuple(by_key[key] for key in mapper.primary_key)
        return LinkRows(between, members, keys, None, self._of_class(asked))

    def _of_class(self, asked: Any) -> ColumnElement[bool] | None:
        """The condition that a row is one of an object of the far class, if this table tells."""
        kind = self.prop.mapper.polymorphic_on
        if kind is None or any(column.table is not asked for column in columns_in(kind)):
            return None
        return kind.in_([mapper.polymorphic_identity for mapper in self.prop.mapper.self_and_descendants])

    def _own(self, columns: Sequence[ColumnClause[Any]]) -> list[TrackedColumns]:
        """Columns of the object at hand. Those of its key are what it is; they can't change."""
        if is_query(self.mapper.persist_selectable):
            return []
        return self.places.columns_by_table([column for column in columns if not _is_key(column)], self.what)

    def _target(self, pairs: Sequence[tuple[Any, Any]]) -> Sequence[str] | None:
        """The members with the primary key of the other class, if all the end goes by is that."""
        keys = self.prop.mapper.primary_key
        by_remote = {as_inherited(self.prop.mapper, remote): local for local, remote in pairs}
        if len(by_remote) != len(keys) or any(key not in by_remote for key in keys):
            return None
        return self._members(by_remote[key] for key in keys)

    def _question(self, pairs: Pairs, columns: Sequence[ColumnClause[Any]]) -> MemberLookup | None:
        """The question for rows by what is equal. The journal may not have the values of some columns; by them, the
        question is not as narrow."""
        narrow, question = self._asked(pairs, columns)
        members = self._members(local for local, _ in narrow)
        return None if members is None else replace(question, members=members)

    def _asked(self, pairs: Pairs, columns: Sequence[ColumnClause[Any]]) -> tuple[Pairs, MemberLookup]:
        """The question for rows whose columns, the second of each pair, are equal to the first; and the pairs by which
        it asks."""
        watch = self.places.table(pairs[0][1].table, self.what)
        narrow = [pair for pair in pairs if self._is_linked(watch, *pair)]
        broad = [remote for local, remote in pairs if not self._is_linked(watch, local, remote)]
        mask = watch.mask(column.name for column in [*columns, *broad])
        names = tuple(remote.name for _, remote in narrow)
        broadest = QueryRead(watch.id, (), mask | watch.mask(names))
        return narrow, MemberLookup(QueryRead(watch.id, names, mask), broad=broadest)

    def _is_linked(self, watch: TrackedTable, local: ColumnClause[Any], remote: ColumnClause[Any]) -> bool:
        """Whether the rows with a value in their table's `remote` can be asked for by what `local` has."""
        near = self.places.tables.of(local.table)
        return watch.is_asked(remote.name) and (near is None or watch.is_linked(remote.name, near, local.name))

    def _members(self, columns: Iterable[Any]) -> tuple[str, ...] | None:
        """The names of the members that are these columns."""
        names = []
        for column in columns:
            try:
                names.append(self.mapper.get_property_by_column(column).key)
            except UnmappedColumnError:
                return None
        return tuple(names)

    def _is_known(self, columns: Iterable[ColumnClause[Any]]) -> bool:
        return all(column.table in self.prop.mapper.tables for column in columns)

    def _needs_rows_below(self, asked: set[Any]) -> bool:
        """Whether the question is for rows of one table, but what is found also needs one in another table, and no
        column says whether it is there."""
        mapper = self.prop.mapper
        return mapper.polymorphic_on is None and any(table not in asked for table in mapper.tables)


def _unclear(prop: RelationshipProperty[Any], places: MappedTables) -> TrackedRelationship:
    """An end that is not understood depends on all rows, and all columns, of all tables that it has to do with."""
    what = f"{prop.parent.class_.__name__}.{prop.key}"
    return TrackedRelationship(
        prop, questions=_all_of(tables_in(prop.entity.selectable, *clauses_of(prop)), places, what)
    )


def _all_of(tables: Iterable[FromClause], places: MappedTables, what: str) -> list[MemberLookup]:
    watches = [places.table(table, what) for table in tables]
    return [MemberLookup(QueryRead(watch.id, (), watch.mask(watch.columns))) for watch in watches]


def _pairs(condition: ColumnElement[bool]) -> tuple[Pairs | None, list[ColumnClause[Any]]]:
    """The columns that must be equal, each a near one and a remote one, and all columns of further conditions. None
    instead of the pairs if there are none."""
    pairs: list[tuple[ColumnClause[Any], ColumnClause[Any]]] = []
    rest: list[ColumnClause[Any]] = []
    for clause in _conjuncts(condition):
        pair = equal_columns(clause)
        if pair is not None and _is_remote(pair[0]) != _is_remote(pair[1]):
            pairs.append((pair[1], pair[0]) if _is_remote(pair[0]) else pair)
        else:
            rest += list(columns_in(clause))
    return pairs or None, rest


def _conjuncts(condition: Any) -> Iterator[Any]:
    if isinstance(condition, BooleanClauseList) and condition.operator is and_:
        for clause in condition.clauses:
            yield from _conjuncts(clause)
    else:
        yield condition


def _order(prop: RelationshipProperty[Any]) -> list[ColumnElement[Any]]:
    return list(prop.order_by or ())


def _is_remote(column: ColumnClause[Any]) -> bool:
    return "remote" in column._annotations


def _is_key(column: ColumnClause[Any]) -> bool:
    return bool(getattr(column, "primary_key", False))


def identity_of(state: InstanceState[Any]) -> tuple[Any, ...]:
    """The primary key of an object, () if it has none yet."""
    return () if state.key is None else state.key[1]
