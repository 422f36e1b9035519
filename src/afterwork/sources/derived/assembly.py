"""Putting together what keeps the caches of one model fresh in one database."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from afterwork.clock import Clock
from afterwork.derived.capture.continuity import Continuity
from afterwork.derived.compute.action import Renewer
from afterwork.derived.compute.backfill import Filler
from afterwork.derived.compute.calculators import Calculators
from afterwork.derived.compute.inline import AtOnce
from afterwork.derived.compute.python import Calculator, CanMove, Question, Value
from afterwork.derived.compute.root_visibility import Itself
from afterwork.derived.compute.sql import SqlCalculator, in_sql
from afterwork.derived.compute.store import Storer
from afterwork.derived.manifest.manifest_store import manifests_of
from afterwork.derived.manifest.read_patterns import Shapes
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due import Claimed, DueCaches
from afterwork.derived.queue.feeders import Feeders
from afterwork.derived.queue.levels import Levels
from afterwork.derived.queue.registry import Definition, Definitions, register
from afterwork.derived.queue.rows import Heads
from afterwork.derived.tracking.attributes import instrument
from afterwork.derived.tracking.member_plans import Plans
from afterwork.derived.tracking.prototypes import Originals
from afterwork.derived.tracking.query import StatementReader
from afterwork.derived.tracking.recorder import Recorder
from afterwork.errors import NotCaptured
from afterwork.events import Events, NotInSql, OtherCode, Reached, TriggerKind
from afterwork.jobs.quarantine import Care
from afterwork.jobs.roots import Roots
from afterwork.jobs.run import Run
from afterwork.jobs.source import CACHES
from afterwork.model.derivation import Cache, DerivedCache, MachineCache, ViewModelCache
from afterwork.model.inspection import ReadModel
from afterwork.sources.derived.source import Stale
from afterwork.store.database import Database
from afterwork.store.journal import capture
from afterwork.store.journal.entries import Entries

NO_EVENTS = Events()
"""Where only questions are asked."""


def stale_trigger(
    database: Database,
    model: ReadModel,
    connection: Connection,
    clock: Clock,
    events: Events,
    installation: uuid.UUID,
    care: Care,
) -> Stale | None:
    """What keeps the caches of a model fresh; None if it has none."""
    if not model.caches:
        return None
    register(connection, model.caches.values())
    instrument(model.classes.values())
    matcher = matcher_of(database, model, connection, events)
    _check_captured(model, matcher)
    watches = matcher.shapes.watches
    plans = Plans(watches, database.engine.dialect)
    reader = StatementReader(watches, database.engine.dialect)

    def itself(definition: Definition) -> Itself:
        return Itself(definition, plans.places, reader)

    sql = _sql_calculators(model, matcher, itself, events)
    matcher = replace(matcher, rereads=lambda change: any(one.rereads(change) for one in sql.values()))
    storer = Storer(matcher, clock)
    roots = Roots()

    run_of = partial(cache_run, installation)

    def recorder(session: Session, originals: Originals | None = None) -> Recorder:
        return Recorder(plans, session, clock.now(), reader.read, originals)

    python = {
        definition.id: Calculator(
            question, model.classes, roots, recorder, plans.siblings, itself(definition), partial(run_of, definition)
        )
        for definition in matcher.definitions
        if (question := _question(definition.cache)) is not None
    }
    calculators = Calculators(python, sql)
    limit = database.settings.at_once.total_seconds()
    stale = Stale(
        matcher,
        AtOnce(matcher, storer, calculators, clock, run_of, limit),
        Filler(matcher),
        storer,
        Renewer(matcher, storer, model.classes, roots, recorder, itself),
        calculators,
        Continuity(database, clock, events),
        clock,
        run_of,
        care,
    )
    stale.filler.begin(connection, clock.now())
    return stale


def _check_captured(model: ReadModel, matcher: Matcher) -> None:
    missing = [cache for cache in model.caches.values() if matcher.shapes.watches.of(cache.table) is None]
    if missing:
        tables = sorted({cache.table.fullname for cache in missing})
        raise NotCaptured([cache.name for cache in missing], tables)


def matcher_of(database: Database, model: ReadModel, connection: Connection, events: Events = NO_EVENTS) -> Matcher:
    """The matcher of a model's caches in a database."""
    watches = capture.load(connection, model.tables)
    shapes = Shapes(watches, connection.dialect)
    shapes.load(connection)
    manifests, dues = manifests_of(database.dialect), DueCaches(database.dialect)
    heads = Heads(database.dialect, manifests, dues)
    definitions = Definitions(
        connection, list(model.caches.values()), watches, shapes, lambda cache: events.emit(OtherCode(cache))
    )
    return Matcher(
        database,
        Entries(database.dialect),
        shapes,
        definitions,
        manifests,
        dues,
        heads,
        Levels(Feeders(heads, connection.dialect)),
        lambda point, work: events.emit(Reached(point, work)),
    )


def recorder_of(matcher: Matcher, session: Session, clock: Clock) -> Callable[[], Recorder]:
    """What makes recorders of what is read through a session, to explain it."""
    plans = Plans(matcher.shapes.watches, matcher.dialect)
    reader = StatementReader(matcher.shapes.watches, matcher.dialect)
    return lambda: Recorder(plans, session, clock.now(), reader.read)


def cache_run(installation: uuid.UUID, definition: Definition, claimed: Claimed) -> Run:
    """The run of a cache. Its id stays the same however often it is tried."""
    source = installation, f"cache {claimed.cache} {claimed.runs}"
    kind: TriggerKind = "machine" if isinstance(definition.cache, MachineCache) else "cache"
    return Run(source, definition.name, claimed.root, CACHES, claimed.attempts + 1, trigger=kind, due=claimed.since)


def _question(cache: Cache) -> Question | None:
    match cache:
        case DerivedCache():
            return Value(cache)
        case MachineCache():
            return CanMove(cache)
        case ViewModelCache():
            return None


def _sql_calculators(
    model: ReadModel, matcher: Matcher, itself: Callable[[Definition], Itself], events: Events
) -> dict[int, SqlCalculator]:
    found: dict[int, SqlCalculator] = {}
    for definition in matcher.definitions:
        if isinstance(definition.cache, DerivedCache):
            made = in_sql(definition.cache, itself(definition), model.classes, matcher.shapes.watches, matcher.dialect)
            if isinstance(made, str):
                events.emit(NotInSql(definition.name, made))
            elif made is not None:
                found[definition.id] = made
    return found
