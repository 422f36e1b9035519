"""The order in which a statement's table refs are found from each other, and the query that finds them.

A table ref is looked up by columns that must equal something: a value that comes with the statement, or one in a table
ref that was found before. A row that starts or stops matching carries such a value in its old or new image, so it
changes the answer to a recorded query. That holds as long as no query is left out; more of them do no harm. So the
provenance query joins each table ref from the left, to find those to which nothing is joined (yet), and it may leave
conditions out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

A_STATEMENT = "with a statement"
"""The reader, in messages."""

ProvenanceQuery = Select[Any] | CompoundSelect[Any]


@dataclass(frozen=True, eq=False)
class ReadStep:
    """A lookup of one table ref.

    `equal` has the columns with what they must equal; none for all rows. `conditions` are those that this uses.
    `deciding` and `valued` are column masks. `by_row`: only the rows that take part have their values read.
    """

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
        """Return whether one row is looked up, by its primary key."""
        return bool(self.equal) and set(self.equal) == {column.name for column in self.table.key}


@dataclass(frozen=True, eq=False)
class ProvenanceBranch:
    """A part of the provenance query: `steps` that lead to each other.

    It finds the linked values of the steps in `linked`, and the rows of the steps in `rows`.
    """

    steps: tuple[ReadStep, ...]
    linked: tuple[ReadStep, ...]
    rows: tuple[ReadStep, ...]

    def columns(self) -> list[ColumnElement[Any]]:
        """Return the columns that it selects: linked values, then keys of rows."""
        linked = [column_of(link.table_ref, link.name) for step in self.linked for _, link in step.links]
        return linked + [column_of(step.table_ref, key.name) for step in self.rows for key in step.table.key]


@dataclass(frozen=True, eq=False)
class ReadPlan:
    """The steps that find all reads of a statement. `root` is a table ref whose rows are given."""

    steps: tuple[ReadStep, ...]
    branches: tuple[ProvenanceBranch, ...]
    conditions: Sequence[Condition]
    root: TableRef | None = None

    def provenance(
        self, extra: Sequence[ColumnElement[Any]] = (), *where: ColumnElement[bool]
    ) -> ProvenanceQuery | None:
        """Return the query for all that has to be found; None if nothing has to be.

        It selects `extra`, then the columns of each branch, null in the rows of the other branches.
        """
        by_branch = [branch.columns() for branch in self.branches]
        selects = []
        for number, branch in enumerate(self.branches):
            columns: list[ColumnElement[Any]] = list(extra)
            for other, of_branch in enumerate(by_branch):
                columns += of_branch if other == number else [_typed_null(column) for column in of_branch]
            selects.append(self._joined(branch, select(*columns)).where(*where).distinct())
        if not selects:
            return None
        return selects[0] if len(selects) == 1 else union_all(*selects)

    def _joined(self, branch: ProvenanceBranch, query: Select[Any]) -> Select[Any]:
        table_refs = [step.table_ref for step in branch.steps]
        first, *rest = branch.steps
        query = query.where(*self._conditions_at(first, table_refs[:1]))
        joined: Any = first.table_ref.alias
        for number, step in enumerate(rest, 2):
            on = self._conditions_at(step, table_refs[:number])
            joined = joined.outerjoin(step.table_ref.alias, and_(*on) if on else true())
        return query.select_from(joined)

    def _conditions_at(self, step: ReadStep, known: Sequence[TableRef]) -> list[ColumnElement[bool]]:
        """Return the conditions that can be applied once the last of the known table refs is joined."""
        return [
            condition.clause
            for condition in self.conditions
            if condition.clause is not None
            and step.table_ref in condition.table_refs
            and condition.table_refs.issubset(known)
            and condition.subquery_path == step.table_ref.subquery_path
            and (condition in step.conditions or all(_is_around(ref, condition) for ref in condition.table_refs))
        ]


def _typed_null(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(null(), column.type).label(None)


def _is_around(table_ref: TableRef, condition: Condition) -> bool:
    return table_ref.subquery_path == condition.subquery_path[: len(table_ref.subquery_path)]


def plan_for(flat: FlatQuery, root: TableRef | None = None) -> ReadPlan:
    """Return the plan for a flat query. `root` is a table ref whose rows are given, so that it is not looked up."""
    planner = _Planner(flat)
    waiting = list(flat.table_refs)
    while waiting:
        following = root if root in waiting else min(waiting, key=lambda ref: planner.rank(ref, waiting))
        assert following is not None
        waiting.remove(following)
        planner.steps[following] = planner.step(following, is_given=following is root)
    steps = tuple(planner.steps.values())
    return ReadPlan(steps, tuple(_branches(steps, planner.steps)), flat.conditions, root)


@dataclass(frozen=True)
class _Planner:
    """Orders the table refs of a flat query. `steps` has those found so far, in order."""

    flat: FlatQuery
    steps: dict[TableRef, ReadStep] = field(default_factory=dict)

    def rank(self, table_ref: TableRef, waiting: list[TableRef]) -> tuple[int, bool, int, int]:
        """Return the rank of a table ref among those that may be looked up next; the lowest is first.

        In order: one row by its key, rows by a link, rows by given values, rows by true, false or null (which many
        rows have), all rows.
        """
        equalities = list(self._usable(table_ref))
        constant = {equality.name for equality in equalities if not isinstance(equality.source, ColumnSource)}
        if table_ref.table.key and {column.name for column in table_ref.table.key} <= constant:
            rank = 0
        elif any(isinstance(equality.source, ColumnSource) for equality in equalities):
            rank = 1
        else:
            has_parameter = any(isinstance(equality.source, ParameterSource) for equality in equalities)
            rank = 2 if has_parameter else 3 if constant else 4
        may_be_linked = any(
            equality.table_ref is table_ref and isinstance(equality.source, ColumnSource)
            for equality in self._equalities_at(table_ref)
        )
        return rank, may_be_linked and rank > 1, len(table_ref.subquery_path), waiting.index(table_ref)

    def _equalities_at(self, table_ref: TableRef) -> Iterator[Equality]:
        for condition in self.flat.conditions:
            if condition.subquery_path == table_ref.subquery_path:
                yield from condition.equalities

    def _usable(self, table_ref: TableRef) -> Iterator[Equality]:
        """Yield the equalities of a table ref whose values are known by now."""
        for equality in self._equalities_at(table_ref):
            source = equality.source
            is_unknown = isinstance(source, ColumnSource) and source.table_ref not in self.steps
            if equality.table_ref is table_ref and not is_unknown:
                yield equality

    def step(self, table_ref: TableRef, *, is_given: bool) -> ReadStep:
        """Return the step that looks up a table ref from those found so far."""
        table = table_ref.table
        keys = {column.name for column in table.key}
        equal = {} if is_given else self._equal(table_ref, keys)
        own = [condition for condition in self.flat.conditions if table_ref in condition.table_refs]
        used = tuple(condition for condition in own if self._is_used(condition, table_ref, equal))
        deciding = table.mask_of_reads(table_ref.deciding - keys - equal.keys(), A_STATEMENT)
        valued = table.mask_of_reads(table_ref.valued - keys - equal.keys(), A_STATEMENT) & ~deciding
        by_row = bool(valued and keys) and not is_given and keys != equal.keys() and len(used) < len(own)
        return ReadStep(table_ref, dict(sorted(equal.items())), used, deciding, valued, by_row)

    def _equal(self, table_ref: TableRef, keys: set[str]) -> dict[str, ValueSource]:
        equal: dict[str, ValueSource] = {}
        for equality in self._usable(table_ref):
            source = self._followed(equality.source)
            if equality.name not in equal or isinstance(equal[equality.name], ColumnSource):
                equal[equality.name] = source
        if keys and keys <= equal.keys():
            return {name: equal[name] for name in equal if name in keys}
        return equal

    def _is_used(self, condition: Condition, table_ref: TableRef, equal: Mapping[str, ValueSource]) -> bool:
        """Return whether a condition is one that the lookup goes by."""
        return condition.subquery_path == table_ref.subquery_path and any(
            equality.table_ref is table_ref
            and equality.name in equal
            and equal[equality.name] == self._followed(equality.source)
            for equality in condition.equalities
        )

    def _followed(self, source: ValueSource) -> ValueSource:
        """Return the value that a link leads to, where it is known."""
        if isinstance(source, ColumnSource) and source.table_ref in self.steps:
            value = self.steps[source.table_ref].equal.get(source.name)
            if isinstance(value, ConstantSource) or (isinstance(value, ParameterSource) and not value.many):
                return value
        return source


@dataclass(frozen=True)
class _Wanted:
    """Something to be found for a step, its linked values or its rows, and the steps that this needs."""

    step: ReadStep
    needed: set[ReadStep]
    is_row: bool


def _branches(steps: Sequence[ReadStep], by_table_ref: Mapping[TableRef, ReadStep]) -> Iterator[ProvenanceBranch]:
    """Yield the branches of the provenance query, none of them contained in another."""
    unassigned = list(_wanted(steps, by_table_ref))
    chosen: list[set[ReadStep]] = []
    for wanted in sorted(unassigned, key=lambda wanted: -len(wanted.needed)):
        if not any(wanted.needed <= other for other in chosen):
            chosen.append(wanted.needed)
    for needed in chosen:
        own = [wanted for wanted in unassigned if wanted.needed <= needed]
        unassigned = [wanted for wanted in unassigned if wanted not in own]
        yield ProvenanceBranch(
            tuple(step for step in steps if step in needed),
            tuple(wanted.step for wanted in own if not wanted.is_row),
            tuple(wanted.step for wanted in own if wanted.is_row),
        )


def _wanted(steps: Sequence[ReadStep], by_table_ref: Mapping[TableRef, ReadStep]) -> Iterator[_Wanted]:
    leading: dict[ReadStep, set[ReadStep]] = {}
    for step in steps:
        before = {by_table_ref[ref] for condition in step.conditions for ref in condition.table_refs} & leading.keys()
        led = set().union(*(leading[other] for other in before))
        leading[step] = {step} | led
        if step.links:
            yield _Wanted(step, led, is_row=False)
        if step.by_row:
            yield _Wanted(step, leading[step], is_row=True)
