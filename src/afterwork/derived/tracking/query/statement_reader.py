"""Putting down what the statements of a run read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import BindParameter, Connection, Dialect, Executable
from sqlalchemy.sql import visitors
from sqlalchemy.util import LRUCache

from afterwork.derived.manifest.read_pattern import QueryRead
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.loader_criteria import conditions, criteria_in
from afterwork.derived.tracking.mapped_tables import tables_in
from afterwork.derived.tracking.query.flat_query import CannotFlatten, ParameterSource
from afterwork.derived.tracking.query.flatten import flatten
from afterwork.derived.tracking.query.forbidden import names_a_moment, refuse
from afterwork.derived.tracking.query.read_plan import Provenance, ReadPlan, plan_for
from afterwork.derived.tracking.query.step_reads import MAX_ROWS, StepReads, add_branch_row
from afterwork.errors import NotWatched
from afterwork.store.journal.tracked_table import TrackedTables
from afterwork.store.tables import metadata as own_tables

MOST_PLANS = 500
"""As many statements are remembered, however often their parameters change."""


@dataclass(frozen=True)
class _Known:
    """What is known of all statements that differ in nothing but the values of their parameters, which have these
    names. No plan: they can't be taken apart."""

    names: tuple[str, ...]
    plan: ReadPlan | None
    query: Provenance | None


class StatementReader:
    """Says what statements read."""

    def __init__(self, watches: TrackedTables, dialect: Dialect) -> None:
        self._watches = watches
        self._dialect = dialect
        self._known: LRUCache[Any, _Known] = LRUCache(MOST_PLANS)

    def read(
        self, statement: Executable, parameters: Any, connection: Connection, reads: Reads, *, entities: bool = True
    ) -> None:
        """Add what a statement reads to `reads`. Where values of other tables decide, it asks the database for them by
        one query. `entities`: what it selects of classes becomes objects, whose members are tracked as they are read;
        without, each column of them counts.

        Raises `CantTrack`.
        """
        key: Any = statement._generate_cache_key()  # type: ignore[attr-defined]
        bound = () if key is None else key.bindparams
        is_usual = key is not None and not any(names_a_moment(parameter.effective_value) for parameter in bound)
        place = (key.key, entities) if is_usual else None
        known = self._known.get(place) if place is not None else None
        if known is None:
            known = self._look_at(statement, bound, entities)
            if place is not None and _has_no_copies(known):
                self._known[place] = known
        if known.plan is None:
            self._read_all(statement, reads)
            return
        values = {name: parameter.effective_value for name, parameter in zip(known.names, bound, strict=True)}
        self._follow(known.plan, known.query, {**values, **(parameters or {})}, connection, reads)

    def _look_at(self, statement: Executable, bound: Iterable[BindParameter[Any]], entities: bool) -> _Known:
        names = tuple(parameter.key for parameter in bound)
        try:
            parts = flatten(statement, self._watches, self._dialect, entities=entities, parameters=bound)
        except CannotFlatten:
            return _Known(names, None, None)
        plan = plan_for(parts)
        query = plan.provenance()
        return _Known(names, plan, None if query is None else query.limit(MAX_ROWS + 1))

    def _follow(
        self,
        plan: ReadPlan,
        query: Provenance | None,
        parameters: Mapping[str, Any],
        connection: Connection,
        reads: Reads,
    ) -> None:
        asked = {step: StepReads(step, parameters, self._dialect) for step in plan.steps}
        for step in plan.steps:
            if not step.links:
                asked[step].ask(reads)
        if query is None:
            return
        with untracked():
            rows = connection.execute(query, parameters).all()
        if len(rows) > MAX_ROWS:
            for branch in plan.branches:
                for step in (*branch.linked, *branch.rows):
                    asked[step].ask_widely(reads)
            return
        start = 0
        for branch in plan.branches:
            end = start + len(branch.columns())
            for row in {tuple(row[start:end]) for row in rows}:
                add_branch_row(branch, asked, row, reads)
            start = end

    def _read_all(self, statement: Any, reads: Reads) -> None:
        criteria = criteria_in(getattr(statement, "_with_options", ()))
        clauses = [statement, *conditions(criteria, tables_in(statement))]
        for element in chain.from_iterable(map(visitors.iterate, clauses)):
            refuse(element)
        for table in tables_in(*clauses):
            watch = self._watches.of(table)
            if watch is not None:
                reads.add_query(QueryRead(watch.id, (), watch.mask(watch.columns)), "")
            elif getattr(table, "metadata", None) is not own_tables:
                raise NotWatched("with a statement", str(table))


def _has_no_copies(known: _Known) -> bool:
    """Whether all parameters that are needed are among those that have a name in each such statement."""
    if known.plan is None:
        return True
    sources = [
        source for step in known.plan.steps for source in step.equal.values() if isinstance(source, ParameterSource)
    ]
    needed = [source.parameter for source in sources]
    for condition in known.plan.conditions:
        if condition.clause is not None:
            needed += [found for found in visitors.iterate(condition.clause) if isinstance(found, BindParameter)]
    return all(parameter.key in known.names for parameter in needed)
