"""In which order the places of a statement are found from each other, and the one query that finds them.

A place is asked for by the columns that must equal something: a value that comes with the statement, or one in a place
that was found before. Whoever comes to match, leaves or moves has such a value, before or after, so its change answers
one of these questions otherwise. That holds as long as no question is left out; more of them do no harm. So the
provenance query joins each place from the left, that those are found to which nothing is joined (yet), and it may leave
conditions away.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, cast, null, select, true, union_all
from sqlalchemy.sql.selectable import CompoundSelect

from afterwork.derived.tracking.query.flat_query import (
    ColumnSource,
    Condition,
    ConstantSource,
    Equality,
    FlatQuery,
    ParameterSource,
    TableRef,
    ValueSource,
    column_of,
)
from afterwork.store.journal.tracked_table import TrackedTable

Provenance = Select[Any] | CompoundSelect[Any]


@dataclass(frozen=True, eq=False)
class ReadStep:
    """How a place is found. `equal` has the columns with what they must equal; none for all rows. `deciding` and
    `valued` are sets of columns, `by_row` says that values are looked at only in the rows that take part."""

    table_ref: TableRef
    equal: dict[str, ValueSource]
    conditions: tuple[Condition, ...]
    deciding: int
    valued: int
    by_row: bool

    @property
    def table(self) -> TrackedTable:
        return self.table_ref.table

    @property
    def links(self) -> list[tuple[str, ColumnSource]]:
        return [(name, source) for name, source in self.equal.items() if isinstance(source, ColumnSource)]

    @property
    def is_by_key(self) -> bool:
        """Whether it is one row that is asked for."""
        return bool(self.equal) and set(self.equal) == {column.name for column in self.table.key}


@dataclass(frozen=True, eq=False)
class Branch:
    """A part of the provenance query: steps that lead to each other, and what it finds: the links of some steps, and
    the rows of some."""

    steps: tuple[ReadStep, ...]
    linked: tuple[ReadStep, ...]
    rows: tuple[ReadStep, ...]

    def columns(self) -> list[ColumnElement[Any]]:
        """What it selects: values of links, then keys of rows."""
        found = [column_of(link.table_ref, link.name) for step in self.linked for _, link in step.links]
        return found + [column_of(step.table_ref, key.name) for step in self.rows for key in step.table.key]


@dataclass(frozen=True, eq=False)
class ReadPlan:
    """What is to be found, and how. `root` is a place whose rows are given."""

    steps: tuple[ReadStep, ...]
    branches: tuple[Branch, ...]
    conditions: Sequence[Condition]
    root: TableRef | None = None

    def provenance(self, extra: Sequence[ColumnElement[Any]] = (), *where: ColumnElement[bool]) -> Provenance | None:
        """The query for all that has to be found: for each branch its columns, null in the rows of others, and `extra`
        before them. None if nothing has to be."""
        parts = [branch.columns() for branch in self.branches]
        selects = []
        for number, branch in enumerate(self.branches):
            columns: list[ColumnElement[Any]] = list(extra)
            for other, mine in enumerate(parts):
                columns += [column if other == number else cast(null(), column.type).label(None) for column in mine]
            selects.append(self._joined(branch, select(*columns)).where(*where).distinct())
        if not selects:
            return None
        return selects[0] if len(selects) == 1 else union_all(*selects)

    def _joined(self, branch: Branch, query: Select[Any]) -> Select[Any]:
        places = [step.table_ref for step in branch.steps]
        first, *rest = branch.steps
        query = query.where(*self._at(first, places[:1]))
        joined: Any = first.table_ref.alias
        for number, step in enumerate(rest, 2):
            on = self._at(step, places[:number])
            joined = joined.outerjoin(step.table_ref.alias, and_(*on) if on else true())
        return query.select_from(joined)

    def _at(self, step: ReadStep, known: Sequence[TableRef]) -> list[ColumnElement[bool]]:
        """The conditions that can be said as soon as the last of the known places is there."""
        return [
            condition.clause
            for condition in self.conditions
            if condition.clause is not None
            and step.table_ref in condition.table_refs
            and condition.table_refs.issubset(known)
            and condition.subquery_path == step.table_ref.subquery_path
            and (condition in step.conditions or all(_is_around(place, condition) for place in condition.table_refs))
        ]


def plan_for(parts: FlatQuery, root: TableRef | None = None) -> ReadPlan:
    """The plan for the parts of a statement. `root`: a place whose rows are given, so that it is not asked for."""
    steps: list[ReadStep] = []
    found: dict[TableRef, ReadStep] = {}
    todo = list(parts.table_refs)
    while todo:
        place = root if root in todo else min(todo, key=lambda one: _rank(one, parts, found, todo))
        assert place is not None
        todo.remove(place)
        found[place] = _step(place, parts, found, is_given=place is root)
        steps.append(found[place])
    return ReadPlan(tuple(steps), tuple(_branches(steps, found)), parts.conditions, root)


def _rank(
    place: TableRef, parts: FlatQuery, found: dict[TableRef, ReadStep], todo: list[TableRef]
) -> tuple[int, bool, int, int]:
    """What sorts the places that may be found next: one row by its key, rows by a link, by values that are given, by
    true, false or null, which many rows have, all rows."""
    equalities = list(_usable(place, parts, found))
    constant = {one.name for one in equalities if not isinstance(one.source, ColumnSource)}
    if place.table.key and {column.name for column in place.table.key} <= constant:
        rank = 0
    elif any(isinstance(one.source, ColumnSource) for one in equalities):
        rank = 1
    else:
        rank = 2 if any(isinstance(one.source, ParameterSource) for one in equalities) else 3 if constant else 4
    may_be_linked = any(
        condition.subquery_path == place.subquery_path
        and any(one.table_ref is place and isinstance(one.source, ColumnSource) for one in condition.equalities)
        for condition in parts.conditions
    )
    return rank, may_be_linked and rank > 1, len(place.subquery_path), todo.index(place)


def _usable(place: TableRef, parts: FlatQuery, found: dict[TableRef, ReadStep]) -> Iterator[Equality]:
    for condition in parts.conditions:
        if condition.subquery_path == place.subquery_path:
            for one in condition.equalities:
                if one.table_ref is place and not (
                    isinstance(one.source, ColumnSource) and one.source.table_ref not in found
                ):
                    yield one


def _step(place: TableRef, parts: FlatQuery, found: dict[TableRef, ReadStep], is_given: bool) -> ReadStep:
    equal: dict[str, ValueSource] = {}
    if not is_given:
        for one in _usable(place, parts, found):
            source = _followed(one.source, found)
            if one.name not in equal or isinstance(equal[one.name], ColumnSource):
                equal[one.name] = source
    keys = {column.name for column in place.table.key}
    if keys and keys <= equal.keys():
        equal = {name: equal[name] for name in equal if name in keys}
    mine = [condition for condition in parts.conditions if place in condition.table_refs]
    asked = tuple(
        c
        for c in mine
        if c.subquery_path == place.subquery_path and any(_is_asked(e, place, equal, found) for e in c.equalities)
    )
    watch = place.table
    deciding = watch.mask(place.deciding - keys - equal.keys())
    valued = watch.mask(place.valued - keys - equal.keys()) & ~deciding
    by_row = bool(valued and keys) and not is_given and keys != equal.keys() and len(asked) < len(mine)
    return ReadStep(place, dict(sorted(equal.items())), asked, deciding, valued, by_row)


def _is_asked(one: Equality, place: TableRef, equal: dict[str, ValueSource], found: dict[TableRef, ReadStep]) -> bool:
    return one.table_ref is place and one.name in equal and equal[one.name] == _followed(one.source, found)


def _followed(source: ValueSource, found: dict[TableRef, ReadStep]) -> ValueSource:
    """The value that a link leads to, where it is known."""
    while isinstance(source, ColumnSource) and source.table_ref in found:
        further = found[source.table_ref].equal.get(source.name)
        if isinstance(further, ConstantSource) or (isinstance(further, ParameterSource) and not further.many):
            return further
        return source
    return source


def _branches(steps: list[ReadStep], found: dict[TableRef, ReadStep]) -> Iterator[Branch]:
    """The parts of the provenance query, none of them contained in another."""
    above: dict[ReadStep, set[ReadStep]] = {}
    wanted: list[tuple[ReadStep, set[ReadStep], bool]] = []
    for step in steps:
        before = {found[place] for condition in step.conditions for place in condition.table_refs} & above.keys()
        led = set().union(*(above[one] for one in before))
        above[step] = {step} | led
        if step.links:
            wanted.append((step, led, False))
        if step.by_row:
            wanted.append((step, above[step], True))
    sets: list[set[ReadStep]] = []
    for _, needed, _ in sorted(wanted, key=lambda one: -len(one[1])):
        if not any(needed <= other for other in sets):
            sets.append(needed)
    left = list(wanted)
    for chosen in sets:
        mine = [one for one in left if one[1] <= chosen]
        left = [one for one in left if one not in mine]
        yield Branch(
            tuple(step for step in steps if step in chosen),
            tuple(step for step, _, is_row in mine if not is_row),
            tuple(step for step, _, is_row in mine if is_row),
        )


def _is_around(place: TableRef, condition: Condition) -> bool:
    return place.subquery_path == condition.subquery_path[: len(place.subquery_path)]
