"""Recording what the statements of a job read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import BindParameter, Connection, Dialect, Executable
from sqlalchemy.sql import visitors

from afterwork.compat.sqlalchemy_options import options_of
from afterwork.compat.sqlalchemy_statements import Cache, cache_key_of
from afterwork.derived.manifest.reads import QueryRead, Reads
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.loader_criteria import conditions_on, criteria_in
from afterwork.derived.tracking.mapping_clauses import tables_in
from afterwork.derived.tracking.query.flat_query import CannotFlatten, ParameterSource
from afterwork.derived.tracking.query.flatten import flatten
from afterwork.derived.tracking.query.forbidden import is_current_time, refuse
from afterwork.derived.tracking.query.read_plan import ProvenanceQuery, ReadPlan, plan_for
from afterwork.derived.tracking.query.step_reads import MAX_ROWS, StepReads, add_branch_row
from afterwork.errors import NotWatched
from afterwork.store.journal.tracked_table import TrackedTables
from afterwork.store.tables import metadata as own_tables

MAX_CACHED_PLANS = 500
"""Statements whose plan is cached, however often their parameters change."""


@dataclass(frozen=True)
class _StatementPlan:
    """The plan for all statements that differ only in the values of their parameters, which have these names.

    `plan` is None where they are too complicated.
    """

    names: tuple[str, ...]
    plan: ReadPlan | None
    query: ProvenanceQuery | None


class StatementReader:
    """Finds out what statements read, and caches how."""

    def __init__(self, tables: TrackedTables, dialect: Dialect) -> None:
        self._tables = tables
        self._dialect = dialect
        self._plans: Cache[Any, _StatementPlan] = Cache(MAX_CACHED_PLANS)

    @property
    def cached_plans(self) -> int:
        return len(self._plans)

    def read(
        self, statement: Executable, parameters: Any, connection: Connection, reads: Reads, *, entities: bool = True
    ) -> None:
        """Add what a statement reads to `reads`. Where values of other tables decide, one query asks for them.

        With `entities`, classes that it selects become objects, whose members are tracked as they are read; without,
        each column of them counts. Raises `CantTrack`.
        """
        key = cache_key_of(statement)
        bound = () if key is None else key.parameters
        is_cacheable = key is not None and not any(is_current_time(parameter.effective_value) for parameter in bound)
        cache_key = (key.key, entities) if key is not None and is_cacheable else None
        known = self._plans.get(cache_key) if cache_key is not None else None
        if known is None:
            known = self._plan(statement, bound, entities=entities)
            if cache_key is not None and _has_only_named_parameters(known):
                self._plans[cache_key] = known
        if known.plan is None:
            self._read_all(statement, reads)
            return
        values = {name: parameter.effective_value for name, parameter in zip(known.names, bound, strict=True)}
        self._follow(known.plan, known.query, {**values, **(parameters or {})}, connection, reads)

    def _plan(self, statement: Executable, bound: Sequence[BindParameter[Any]], *, entities: bool) -> _StatementPlan:
        names = tuple(parameter.key for parameter in bound)
        try:
            flat = flatten(statement, self._tables, self._dialect, entities=entities, parameters=bound)
        except CannotFlatten:
            return _StatementPlan(names, None, None)
        plan = plan_for(flat)
        query = plan.provenance()
        return _StatementPlan(names, plan, None if query is None else query.limit(MAX_ROWS + 1))

    def _follow(
        self,
        plan: ReadPlan,
        query: ProvenanceQuery | None,
        parameters: Mapping[str, Any],
        connection: Connection,
        reads: Reads,
    ) -> None:
        step_reads = {step: StepReads(step, parameters, self._dialect) for step in plan.steps}
        for step in plan.steps:
            if not step.links:
                step_reads[step].add_queries(reads)
        if query is None:
            return
        with untracked():
            rows = connection.execute(query, parameters).all()
        if len(rows) > MAX_ROWS:
            for branch in plan.branches:
                for step in (*branch.linked, *branch.rows):
                    step_reads[step].add_broad_queries(reads)
            return
        start = 0
        for branch in plan.branches:
            end = start + len(branch.columns())
            for row in {tuple(row[start:end]) for row in rows}:
                add_branch_row(branch, step_reads, row, reads)
            start = end

    def _read_all(self, statement: Any, reads: Reads) -> None:
        criteria = criteria_in(options_of(statement))
        clauses = [statement, *conditions_on(criteria, tables_in(statement))]
        for element in chain.from_iterable(map(visitors.iterate, clauses)):
            refuse(element)
        for table in tables_in(*clauses):
            tracked = self._tables.of(table)
            if tracked is not None:
                reads.add_query(QueryRead(tracked.id, (), tracked.mask(tracked.columns)), "")
            elif getattr(table, "metadata", None) is not own_tables:
                raise NotWatched("with a statement", str(table))


def _has_only_named_parameters(known: _StatementPlan) -> bool:
    """Return whether all parameters of a plan have the same names in each such statement. Copies have others."""
    if known.plan is None:
        return True
    sources = (source for step in known.plan.steps for source in step.equal.values())
    needed = [source.parameter for source in sources if isinstance(source, ParameterSource)]
    for condition in known.plan.conditions:
        if condition.clause is not None:
            elements = visitors.iterate(condition.clause)
            needed += [element for element in elements if isinstance(element, BindParameter)]
    return all(parameter.key in known.names for parameter in needed)
