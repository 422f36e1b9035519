"""Put together what matches changes with the caches of one model, and what records reads to explain them."""

import uuid
from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from afterwork.clock import Clock
from afterwork.derived.manifest.manifest_store import manifest_store_of
from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_rows import CacheRows
from afterwork.derived.queue.cycle_levels import Levels
from afterwork.derived.queue.due_queue import ClaimedCache, DueQueue
from afterwork.derived.queue.feeders import Feeders
from afterwork.derived.queue.registry import DerivationRegistry, RegisteredDerivation
from afterwork.derived.tracking.member_dependencies import MemberDependencies
from afterwork.derived.tracking.query import StatementReader
from afterwork.derived.tracking.recorder import Recorder
from afterwork.events import Events, OtherCode, Reached, SourceKind
from afterwork.jobs.run import NO_LANE, Run
from afterwork.model.derivation import MachineDerivation
from afterwork.model.inspection import ModelInfo
from afterwork.store.database import Database
from afterwork.store.dialects import entries_of
from afterwork.store.journal import capture

NO_EVENTS = Events()
"""Where only questions are asked."""


def matcher_of(database: Database, model: ModelInfo, connection: Connection, events: Events = NO_EVENTS) -> Matcher:
    """The matcher of a model's caches in a database."""
    watches = capture.load(connection, model.tables)
    shapes = ReadPatterns(watches, connection.dialect)
    shapes.load(connection)
    manifests, dues = manifest_store_of(database.dialect), DueQueue(database.dialect)
    heads = CacheRows(database.dialect, manifests, dues)
    definitions = DerivationRegistry(
        connection, list(model.derivations.values()), watches, shapes, lambda cache: events.emit(OtherCode(cache))
    )
    return Matcher(
        database,
        entries_of(database.dialect),
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
    plans = MemberDependencies(matcher.patterns.tables, matcher.dialect)
    reader = StatementReader(matcher.patterns.tables, matcher.dialect)
    return lambda: Recorder(plans, session, clock.now(), reader.read)


def cache_run(installation: uuid.UUID, definition: RegisteredDerivation, claimed: ClaimedCache) -> Run:
    """The run of a cache. Its id stays the same however often it is tried."""
    source = installation, f"cache {claimed.cache} {claimed.runs}"
    kind: SourceKind = "machine" if isinstance(definition.declaration, MachineDerivation) else "cache"
    return Run(source, definition.name, claimed.root, NO_LANE, claimed.attempts + 1, source=kind, due=claimed.since)
