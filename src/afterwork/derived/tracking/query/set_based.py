"""Derived members with a SQL side: one statement calculates many of them, or finds what many of them read."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Dialect, ScalarSelect, Select, bindparam, false, select
from sqlalchemy.orm import Mapper

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.query.flat_query import CannotFlatten, FlatQuery, column_of
from afterwork.derived.tracking.query.flatten import flatten
from afterwork.derived.tracking.query.read_plan import ProvenanceQuery, ReadPlan, ReadStep, plan_for
from afterwork.derived.tracking.query.step_reads import StepReads, add_branch_row
from afterwork.errors import CantTrack
from afterwork.model.key import PrimaryKey, is_one_of
from afterwork.store.journal.tracked_table import TrackedTables


@dataclass(frozen=True, eq=False)
class SetBasedExpression:
    """The value of a member of `root` as an expression, correlated with the table of `root`."""

    root: Mapper[Any]
    expression: ColumnElement[Any] | ScalarSelect[Any]
    tracked_tables: TrackedTables
    dialect: Dialect

    @property
    def reason(self) -> str | None:
        """Return the reason why the expression can't be tracked, None if it can. Nothing else works if it can't."""
        return self._plan_or_reason if isinstance(self._plan_or_reason, str) else None

    @cached_property
    def deciding_columns(self) -> set[tuple[int, int]]:
        """The columns, as pairs of table id and mask, that decide which rows take part.

        After an update of other columns all manifests are still right.
        """
        masks: dict[int, int] = defaultdict(int)
        for step in self._plan.steps:
            masks[step.table.id] |= step.deciding | step.table.mask(step.equal)
        return {(table_id, mask) for table_id, mask in masks.items() if mask}

    @cached_property
    def tables(self) -> set[int]:
        return {step.table.id for step in self._plan.steps}

    def values(self, keys: Sequence[PrimaryKey]) -> Select[Any]:
        """Return the query for the keys and values of the objects with these keys."""
        return self._values.where(is_one_of(self.root.primary_key, keys))

    def value(self) -> Select[Any]:
        """Return the query for the key and value of one object, whose key comes as `parameters`."""
        columns = enumerate(self.root.primary_key)
        return self._values.where(*(column == bindparam(f"key_{n}", type_=column.type) for n, column in columns))

    def parameters(self, key: PrimaryKey) -> dict[str, Any]:
        return {f"key_{n}": part for n, part in enumerate(key)}

    @property
    def _values(self) -> Select[Any]:
        value: Any = self.expression
        return select(*self.root.primary_key, value.label("value"))

    def provenance(self, keys: Sequence[PrimaryKey]) -> ProvenanceQuery:
        """Return the query for what the values of these objects depend on."""
        assert self._plan.root is not None
        root_key = [column_of(self._plan.root, column.name) for column in self.root.primary_key]
        query = self._plan.provenance(root_key, is_one_of(root_key, keys))
        return query if query is not None else select(*self.root.primary_key).where(false())

    def reads(self, keys: Iterable[PrimaryKey], rows: Iterable[Sequence[Any]]) -> dict[PrimaryKey, Reads]:
        """Return the reads of the value of each of these objects, from the rows of the provenance query."""
        step_reads = {step: StepReads(step, {}, self.dialect) for step in self._plan.steps}
        reads_by_key = {key: self._unlinked_reads(key, step_reads) for key in keys}
        width = len(self.root.primary_key)
        for row in rows:
            reads = reads_by_key.get(tuple(row[:width]))
            if reads is None:
                continue
            start = width
            for branch in self._plan.branches:
                end = start + len(branch.columns())
                add_branch_row(branch, step_reads, row[start:end], reads)
                start = end
        return reads_by_key

    def _unlinked_reads(self, key: PrimaryKey, step_reads: dict[ReadStep, StepReads]) -> Reads:
        """Return the reads that depend on no link: the object's own row, and what is the same for all objects."""
        reads = Reads()
        for step in self._plan.steps:
            if step.table_ref is self._plan.root:
                parts = dict(zip((column.name for column in self.root.primary_key), key, strict=True))
                own_key = step_reads[step].key([parts[column.name] for column in step.table.key])
                if own_key is None:
                    step_reads[step].add_broad_queries(reads)
                elif step.deciding | step.valued:
                    reads.add_row(step.table.id, own_key, step.deciding | step.valued)
            elif not step.links:
                step_reads[step].add_queries(reads)
        return reads

    @property
    def _plan(self) -> ReadPlan:
        plan = self._plan_or_reason
        if isinstance(plan, str):
            raise ValueError(plan)
        return plan

    @property
    def flat(self) -> FlatQuery:
        """The expression as a flat query, whose first table ref is that of the root. Raises as `flatten` does."""
        query = select(self.expression).select_from(self.root.local_table)
        return flatten(query, self.tracked_tables, self.dialect, entities=False)

    @cached_property
    def _plan_or_reason(self) -> ReadPlan | str:
        name = self.root.class_.__name__
        if len(self.root.tables) != 1:
            return f"{name} has a row in more than one table"
        try:
            flat = self.flat
        except CantTrack as error:
            return str(error)
        except CannotFlatten as error:
            return f"it has parts that can't be taken apart: {error}"
        root = flat.table_refs[0]
        if any(table_ref.subquery_path == root.subquery_path for table_ref in flat.table_refs[1:]):
            return f"it takes columns of other tables than that of {name}, outside of a subquery"
        plan = plan_for(flat, root)
        if any(branch.steps[0].table_ref is not root for branch in plan.branches):
            return f"it depends on rows that no equality leads to from those of {name}"
        return plan
