"""Assemble the source of derived work for one model in one database."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from afterwork.clock import Clock
from afterwork.derived.capture.requirements import ContinuityProof
from afterwork.derived.compute.action_runner import ActionRunner
from afterwork.derived.compute.assembly import cache_run, matcher_of, result_store_of
from afterwork.derived.compute.backfill import Backfill
from afterwork.derived.compute.calculators import Calculators
from afterwork.derived.compute.inline import InlineRecomputation
from afterwork.derived.compute.next_runs import CommitCheck
from afterwork.derived.compute.python_calculator import PythonCalculator, calculation_of
from afterwork.derived.compute.refresher import Refresher
from afterwork.derived.compute.result_store import ResultStore
from afterwork.derived.compute.results import RunOf
from afterwork.derived.compute.root_visibility import RootReads
from afterwork.derived.compute.sql_calculator import SqlCalculator, SqlCalculators
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.queue.registry import register
from afterwork.derived.tracking.member_dependencies import MemberDependencies
from afterwork.derived.tracking.prototypes import Prototypes
from afterwork.derived.tracking.query import StatementReader
from afterwork.derived.tracking.recorder import Recorder
from afterwork.derived.tracking.tracked_attributes import instrument
from afterwork.errors import NotCaptured
from afterwork.events import Events, NotInSql
from afterwork.jobs.roots import Roots
from afterwork.jobs.source import SourceContext
from afterwork.jobs.time_limits import TimeLimits
from afterwork.model.derivation import MemberDerivation
from afterwork.model.inspection import ModelInfo
from afterwork.sources.derived.batch_runner import BatchRunner
from afterwork.sources.derived.source import ClaimingRunner, DerivedSource
from afterwork.store.journal.capture import not_journaled


def derived_source(context: SourceContext, installation: uuid.UUID, connection: Connection) -> DerivedSource | None:
    """Return the source of a model's derivations; None if it has none."""
    model, events = context.model, context.events
    if not model.derivations:
        return None
    register(connection, model.derivations.values())
    instrument(model.classes.values())
    matcher = matcher_of(context.database, model, connection, events)
    _check_captured(connection, model, matcher)
    tracking = _Tracking.of(model, matcher, context.clock)
    sql = _sql_calculators(matcher, tracking, events)
    matcher = replace(matcher, rereads=lambda change: any(calculator.rereads(change) for calculator in sql.values()))
    run_of = partial(cache_run, installation)
    calculators = Calculators(_python_calculators(matcher, tracking, run_of), sql)
    source = _Assembly(matcher, tracking, calculators, run_of, installation).source(context)
    source.backfill.begin(connection, context.clock.now())
    return source


@dataclass(frozen=True)
class _Tracking:
    """The parts that load the reads of runs and record them."""

    model: ModelInfo
    plans: MemberDependencies
    reader: StatementReader
    clock: Clock
    roots: Roots

    @classmethod
    def of(cls, model: ModelInfo, matcher: Matcher, clock: Clock) -> "_Tracking":
        tables = matcher.patterns.tables
        return cls(
            model, MemberDependencies(tables, matcher.dialect), StatementReader(tables, matcher.dialect), clock, Roots()
        )

    def recorder(self, session: Session, prototypes: Prototypes | None = None) -> Recorder:
        return Recorder(self.plans, session, self.clock.now(), self.reader.read, prototypes)

    def root_reads(self, derivation: RegisteredDerivation) -> RootReads:
        return RootReads(derivation, self.plans.mapped_tables, self.reader)


@dataclass(frozen=True)
class _Assembly:
    """The shared parts that the others are built from."""

    matcher: Matcher
    tracking: _Tracking
    calculators: Calculators
    run_of: RunOf
    installation: uuid.UUID

    def source(self, context: SourceContext) -> DerivedSource:
        matcher, clock, quarantine = self.matcher, context.clock, context.quarantine
        result_store = result_store_of(matcher, clock)
        commit_check = CommitCheck(matcher, result_store.read_keys, result_store.next_runs, clock)
        max_seconds = matcher.database.settings.at_once.total_seconds()
        refresher = Refresher.of(matcher, clock, self.installation)
        return DerivedSource(
            matcher,
            InlineRecomputation(
                matcher, result_store, self.calculators, clock, self.run_of, max_seconds, context.time_limits
            ),
            Backfill(matcher),
            result_store,
            self.calculators,
            ClaimingRunner(
                matcher, self._batch_runner(result_store, commit_check, context.time_limits), quarantine, clock
            ),
            commit_check,
            ContinuityProof(matcher.database, clock, context.events, matcher.is_current),
            quarantine,
            clock,
            refresher,
        )

    def _batch_runner(
        self, result_store: ResultStore, commit_check: CommitCheck, time_limits: TimeLimits
    ) -> BatchRunner:
        matcher, tracking = self.matcher, self.tracking
        action_runner = ActionRunner(
            matcher,
            result_store.read_keys,
            result_store.next_runs,
            commit_check,
            tracking.clock,
            tracking.model.classes,
            tracking.roots,
            tracking.recorder,
            tracking.root_reads,
            time_limits,
        )
        return BatchRunner(
            matcher, self.calculators, result_store, action_runner, tracking.clock, self.run_of, time_limits
        )


def _check_captured(connection: Connection, model: ModelInfo, matcher: Matcher) -> None:
    """Raise `NotCaptured` if changes go unnoticed that the model's caches may depend on."""
    missing = [cache for cache in model.derivations.values() if matcher.patterns.tables.of(cache.table) is None]
    if missing:
        tables = sorted({cache.table.fullname for cache in missing})
        raise NotCaptured([cache.name for cache in missing], tables)
    with_manifests = [derivation.name for derivation in matcher.registry if derivation.plan is None]
    names = {table.table.fullname for table in matcher.patterns.tables}.intersection(not_journaled(connection))
    if with_manifests and names:
        raise NotCaptured(with_manifests, sorted(names))


def _python_calculators(matcher: Matcher, tracking: _Tracking, run_of: RunOf) -> Mapping[int, PythonCalculator]:
    return {
        derivation.id: PythonCalculator(
            calculation,
            tracking.model.classes,
            tracking.roots,
            tracking.recorder,
            tracking.plans.batch_loader,
            tracking.root_reads(derivation),
            partial(run_of, derivation),
            tracking.model.derived_members(derivation.declaration.root),
        )
        for derivation in matcher.registry
        if (calculation := calculation_of(derivation.declaration)) is not None
    }


def _sql_calculators(matcher: Matcher, tracking: _Tracking, events: Events) -> Mapping[int, SqlCalculator]:
    makes = SqlCalculators(tracking.model.classes, matcher.patterns.tables, matcher.dialect)
    calculators: dict[int, SqlCalculator] = {}
    for derivation in matcher.registry:
        if isinstance(derivation.declaration, MemberDerivation):
            match makes.of(derivation.declaration, tracking.root_reads(derivation)):
                case SqlCalculator() as calculator:
                    calculators[derivation.id] = calculator
                case str(reason):
                    events.emit(NotInSql(derivation.name, reason))
    return calculators
