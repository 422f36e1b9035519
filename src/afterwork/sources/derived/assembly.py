"""Putting together what keeps the caches of one model fresh in one database."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from afterwork.clock import Clock
from afterwork.derived.capture.continuity import ContinuityProof
from afterwork.derived.compute.action_runner import ActionRunner
from afterwork.derived.compute.assembly import cache_run, matcher_of
from afterwork.derived.compute.backfill import Backfill
from afterwork.derived.compute.calculators import Calculators
from afterwork.derived.compute.inline import InlineRecomputation
from afterwork.derived.compute.python_calculator import Calculation, CanMove, PythonCalculator, Value
from afterwork.derived.compute.result_store import ResultStore
from afterwork.derived.compute.root_visibility import RootReads
from afterwork.derived.compute.sql_calculator import SqlCalculator, in_sql
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registry import RegisteredDerivation, register
from afterwork.derived.tracking.member_dependencies import MemberDependencies
from afterwork.derived.tracking.prototypes import Prototypes
from afterwork.derived.tracking.query import StatementReader
from afterwork.derived.tracking.recorder import Recorder
from afterwork.derived.tracking.tracked_attributes import instrument
from afterwork.errors import NotCaptured
from afterwork.events import Events, NotInSql
from afterwork.jobs.quarantine import Quarantine
from afterwork.jobs.roots import Roots
from afterwork.model.derivation import Derivation, MachineDerivation, MemberDerivation, ViewModelDerivation
from afterwork.model.inspection import ModelInfo
from afterwork.sources.derived.source import DerivedSource
from afterwork.store.database import Database


def derived_source(
    database: Database,
    model: ModelInfo,
    connection: Connection,
    clock: Clock,
    events: Events,
    installation: uuid.UUID,
    care: Quarantine,
) -> DerivedSource | None:
    """What keeps the caches of a model fresh; None if it has none."""
    if not model.derivations:
        return None
    register(connection, model.derivations.values())
    instrument(model.classes.values())
    matcher = matcher_of(database, model, connection, events)
    _check_captured(model, matcher)
    watches = matcher.patterns.tables
    plans = MemberDependencies(watches, database.engine.dialect)
    reader = StatementReader(watches, database.engine.dialect)

    def itself(definition: RegisteredDerivation) -> RootReads:
        return RootReads(definition, plans.mapped_tables, reader)

    sql = _sql_calculators(model, matcher, itself, events)
    matcher = replace(matcher, rereads=lambda change: any(one.rereads(change) for one in sql.values()))
    storer = ResultStore(matcher, clock)
    roots = Roots()

    run_of = partial(cache_run, installation)

    def recorder(session: Session, originals: Prototypes | None = None) -> Recorder:
        return Recorder(plans, session, clock.now(), reader.read, originals)

    python = {
        definition.id: PythonCalculator(
            question,
            model.classes,
            roots,
            recorder,
            plans.batch_loader,
            itself(definition),
            partial(run_of, definition),
        )
        for definition in matcher.registry
        if (question := _question(definition.declaration)) is not None
    }
    calculators = Calculators(python, sql)
    limit = database.settings.at_once.total_seconds()
    stale = DerivedSource(
        matcher,
        InlineRecomputation(matcher, storer, calculators, clock, run_of, limit),
        Backfill(matcher),
        storer,
        ActionRunner(matcher, storer, model.classes, roots, recorder, itself),
        calculators,
        ContinuityProof(database, clock, events),
        clock,
        run_of,
        care,
    )
    stale.backfill.begin(connection, clock.now())
    return stale


def _check_captured(model: ModelInfo, matcher: Matcher) -> None:
    missing = [cache for cache in model.derivations.values() if matcher.patterns.tables.of(cache.table) is None]
    if missing:
        tables = sorted({cache.table.fullname for cache in missing})
        raise NotCaptured([cache.name for cache in missing], tables)


def _question(cache: Derivation) -> Calculation | None:
    match cache:
        case MemberDerivation():
            return Value(cache)
        case MachineDerivation():
            return CanMove(cache)
        case ViewModelDerivation():
            return None


def _sql_calculators(
    model: ModelInfo, matcher: Matcher, itself: Callable[[RegisteredDerivation], RootReads], events: Events
) -> dict[int, SqlCalculator]:
    found: dict[int, SqlCalculator] = {}
    for definition in matcher.registry:
        if isinstance(definition.declaration, MemberDerivation):
            made = in_sql(
                definition.declaration, itself(definition), model.classes, matcher.patterns.tables, matcher.dialect
            )
            if isinstance(made, str):
                events.emit(NotInSql(definition.name, made))
            elif made is not None:
                found[definition.id] = made
    return found
