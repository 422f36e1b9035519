"""Derived members that also say in SQL what they are: one statement calculates many of them, or looks into many."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    ScalarSelect,
    Select,
    bindparam,
    false,
    select,
)
from sqlalchemy.orm import Mapper

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.query.flat_query import CannotFlatten, column_of
from afterwork.derived.tracking.query.flatten import flatten
from afterwork.derived.tracking.query.read_plan import Provenance, ReadPlan, plan_for
from afterwork.derived.tracking.query.step_reads import StepReads, add_branch_row
from afterwork.errors import CantTrack
from afterwork.model.key import is_one_of
from afterwork.store.journal.tracked_table import TrackedTables

Key = tuple[Any, ...]
"""A primary key, as the attributes have it."""


@dataclass(frozen=True, eq=False)
class SetBasedExpression:
    """A member of `root` whose value is an expression, correlated with the table of `root`."""

    root: Mapper[Any]
    expression: ColumnElement[Any] | ScalarSelect[Any]
    tracked_tables: TrackedTables
    dialect: Dialect

    @property
    def reason(self) -> str | None:
        """Why the rest can't be used, None if it can."""
        found = self._looked_at
        return found if isinstance(found, str) else None

    @cached_property
    def deciding_columns(self) -> set[tuple[int, int]]:
        """The columns, as a set of columns by watch, that decide which rows take part. After an update of others all
        manifests are still right."""
        found: dict[int, int] = defaultdict(int)
        for step in self._plan.steps:
            found[step.table.id] |= step.deciding | step.table.mask(step.equal)
        return {(watch, columns) for watch, columns in found.items() if columns}

    @cached_property
    def tables(self) -> set[int]:
        """The watches of all tables that take part."""
        return {step.table.id for step in self._plan.steps}

    def values(self, keys: Sequence[Key]) -> Select[Any]:
        """The keys and values of the objects with these keys."""
        return self._values.where(is_one_of(self.root.primary_key, keys))

    def value(self) -> Select[Any]:
        """The key and value of one object, whose key comes as `parameters`."""
        parts = enumerate(self.root.primary_key)
        return self._values.where(*(own == bindparam(f"key_{n}", type_=own.type) for n, own in parts))

    def parameters(self, key: Key) -> dict[str, Any]:
        """The parameters by which `value` is given a key."""
        return {f"key_{n}": part for n, part in enumerate(key)}

    @property
    def _values(self) -> Select[Any]:
        value: Any = self.expression
        return select(*self.root.primary_key, value.label("value"))

    def provenance(self, keys: Sequence[Key]) -> Provenance:
        """The query for what the values of these objects depend on."""
        assert self._plan.root is not None
        own = [column_of(self._plan.root, key.name) for key in self.root.primary_key]
        query = self._plan.provenance(own, is_one_of(own, keys))
        return query if query is not None else select(*self.root.primary_key).where(false())

    def reads(self, keys: Iterable[Key], rows: Iterable[Sequence[Any]]) -> dict[Key, Reads]:
        """What the value of each of these objects depends on, as said by the rows of the provenance query."""
        plan = self._plan
        asked = {step: StepReads(step, {}, self.dialect) for step in plan.steps}
        found = {key: self._known_before(key, asked) for key in keys}
        width = len(self.root.primary_key)
        for row in rows:
            if tuple(row[:width]) not in found:
                continue
            reads = found[tuple(row[:width])]
            start = width
            for branch in plan.branches:
                end = start + len(branch.columns())
                add_branch_row(branch, asked, row[start:end], reads)
                start = end
        return found

    def _known_before(self, key: Key, asked: dict[Any, StepReads]) -> Reads:
        """What depends on no link: the own row, and what is the same for all."""
        reads = Reads()
        for step in self._plan.steps:
            if step.table_ref is self._plan.root:
                parts = dict(zip((column.name for column in self.root.primary_key), key, strict=True))
                own = asked[step].key([parts[column.name] for column in step.table.key])
                if own is None:
                    asked[step].ask_widely(reads)
                elif step.deciding | step.valued:
                    reads.add_row(step.table.id, own, step.deciding | step.valued)
            elif not step.links:
                asked[step].ask(reads)
        return reads

    @property
    def _plan(self) -> ReadPlan:
        found = self._looked_at
        if isinstance(found, str):
            raise ValueError(found)
        return found

    @cached_property
    def _looked_at(self) -> ReadPlan | str:
        """The plan, or why there is none."""
        name = self.root.class_.__name__
        if len(self.root.tables) != 1:
            return f"{name} has a row in more than one table"
        question = select(self.expression).select_from(self.root.local_table)
        try:
            parts = flatten(question, self.tracked_tables, self.dialect, entities=False)
        except CantTrack as error:
            return str(error)
        except CannotFlatten as error:
            return f"it has parts that can't be taken apart: {error}"
        root = parts.table_refs[0]
        if any(place.subquery_path == root.subquery_path for place in parts.table_refs[1:]):
            return f"it takes columns of other tables than that of {name}, outside of a subquery"
        plan = plan_for(parts, root)
        if any(branch.steps[0].table_ref is not root for branch in plan.branches):
            return f"it depends on rows that no equality leads to from those of {name}"
        return plan
