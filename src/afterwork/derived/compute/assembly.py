"""Assemble the matcher, the result store and the recorders of one model's derivations."""

import uuid
from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from afterwork.clock import Clock
from afterwork.derived.compute.next_runs import NextRuns
from afterwork.derived.compute.result_column import ResultColumns
from afterwork.derived.compute.result_store import ResultStore
from afterwork.derived.compute.results import ReadKeys
from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_rows import CacheRows
from afterwork.derived.queue.cycle_levels import Levels
from afterwork.derived.queue.due_cache import ClaimedCache
from afterwork.derived.queue.due_queue import DueQueue
from afterwork.derived.queue.feeders import Feeders
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.queue.registry import DerivationRegistry
from afterwork.derived.tracking.member_dependencies import MemberDependencies
from afterwork.derived.tracking.query import StatementReader
from afterwork.derived.tracking.recorder import Recorder
from afterwork.events import Events, OtherCode, Reached, SourceKind
from afterwork.jobs.run import NO_LANE, Run
from afterwork.model.derivation import MachineDerivation
from afterwork.model.inspection import ModelInfo
from afterwork.store.database import Database
from afterwork.store.dialects import entries_of, manifest_store_of
from afterwork.store.journal import capture

NO_EVENTS = Events()
"""Listens to nothing, where only questions are asked."""


def matcher_of(database: Database, model: ModelInfo, connection: Connection, events: Events = NO_EVENTS) -> Matcher:
    """Return the matcher of a model's derivations in a database."""
    tables = capture.load(connection, model.tables)
    patterns = ReadPatterns(tables, connection.dialect)
    patterns.load(connection)
    manifests, due_queue = manifest_store_of(database.dialect), DueQueue(database.dialect)
    cache_rows = CacheRows(database.dialect, manifests, due_queue)
    registry = DerivationRegistry(
        connection, list(model.derivations.values()), tables, patterns, lambda name: events.emit(OtherCode(name))
    )
    return Matcher(
        database,
        entries_of(database.dialect),
        patterns,
        registry,
        manifests,
        due_queue,
        cache_rows,
        Levels(Feeders(cache_rows, connection.dialect)),
        lambda point, work: events.emit(Reached(point, work)),
    )


def result_store_of(matcher: Matcher, clock: Clock) -> ResultStore:
    read_keys = ReadKeys(matcher.patterns, matcher.registry)
    return ResultStore(matcher, ResultColumns(matcher.database), read_keys, NextRuns(matcher, clock))


def recorder_of(matcher: Matcher, session: Session, clock: Clock) -> Callable[[], Recorder]:
    """Return a factory of recorders for what is read through a session, to explain it."""
    plans = MemberDependencies(matcher.patterns.tables, matcher.dialect)
    reader = StatementReader(matcher.patterns.tables, matcher.dialect)
    return lambda: Recorder(plans, session, clock.now(), reader.read)


def cache_run(installation: uuid.UUID, derivation: RegisteredDerivation, claimed: ClaimedCache) -> Run:
    """Return the run of a cache. Its id stays the same however often it is tried."""
    source = installation, f"cache {claimed.cache} {claimed.runs}"
    kind: SourceKind = "machine" if isinstance(derivation.declaration, MachineDerivation) else "cache"
    return Run(source, derivation.name, claimed.root, NO_LANE, claimed.attempts + 1, source=kind, due=claimed.since)
