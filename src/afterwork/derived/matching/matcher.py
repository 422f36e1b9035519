"""Match changes with manifests: which caches have read what has changed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Dialect, select
from sqlalchemy.exc import DBAPIError

from afterwork.derived.cause import cause_of, cause_text
from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.matching.cycles import CacheCycles
from afterwork.derived.matching.root_follower import RootFollower
from afterwork.derived.queue.cache_rows import CacheRows
from afterwork.derived.queue.cycle_levels import Levels
from afterwork.derived.queue.due_cache import DueEntry, blocked_due
from afterwork.derived.queue.due_queue import DueQueue
from afterwork.derived.queue.registry import DerivationRegistry, using
from afterwork.events import Point
from afterwork.store.caches.manifests import Affected, ManifestStore, TouchedRead, affected_by
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues
from afterwork.store.database import Database
from afterwork.store.journal.change import Change
from afterwork.store.journal.entries import Entries

JOURNAL = "journal"
"""The name of the work where changes are taken and no cache runs."""


@dataclass(frozen=True)
class Matched:
    """Changes taken out of the journal, and the caches that have read what changed, each with its entry.

    `levels` are those of the caches in a cycle. `busy` says that other caches are due or claimed already, `more` that
    the journal may hold more changes; `may_concern_others`, that inserted rows may need caches of
    derivations that only other servers know.
    """

    changes: Sequence[Change]
    due: Sequence[tuple[Affected, DueEntry]]
    levels: Mapping[int, int]
    busy: bool
    more: bool
    may_concern_others: bool


@dataclass(frozen=True)
class Matcher:
    """Matches the journal with the manifests, in one short transaction at a time.

    `reached` is called at each point at which a server may die. `rereads` tells whether a change may alter what a value
    that is calculated in SQL depends on.
    """

    database: Database
    entries: Entries
    patterns: ReadPatterns
    registry: DerivationRegistry
    manifest_store: ManifestStore
    due_queue: DueQueue
    cache_rows: CacheRows
    levels: Levels
    reached: Callable[[Point, str], None]
    rereads: Callable[[Change], bool] = lambda change: True

    @property
    def dialect(self) -> Dialect:
        return self.database.engine.dialect

    def is_current(self, connection: Connection) -> bool:
        """Return whether all numbers that this server knows still mean the same. Only a restore changes that."""
        return self.registry.is_current(connection) and self.patterns.are_current(connection)

    def match(self, connection: Connection, now: datetime) -> bool:
        """Take changes out of the journal, and enqueue the caches that have read what changed.

        Returns True if there may be more. If it is cancelled, as what takes too long may be, it is repeated with half
        as many entries.
        """
        while True:
            try:
                more = self._match(connection, now)
            except DBAPIError as error:
                if not (self.database.was_cancelled(error) and self.entries.portion.halve()):
                    raise
            else:
                self.entries.portion.went_well()
                return more

    def take(self, connection: Connection, now: datetime) -> Matched | None:
        """Take changes out of the journal, in the open transaction, and find the caches that they affect.

        Returns None if there are no changes.
        """
        taken = self.entries.take(connection, self.registry.mine, now)
        if not taken.changes:
            return None
        if taken.patterns > self.patterns.count:
            self.patterns.load(connection)
        if taken.uses > self.registry.uses or taken.derivations_version != self.registry.derivations_version:
            self.registry.load(connection)
        affected = self._affected(connection, taken.changes)
        levels = self._levels(connection, affected)
        enqueued = list(self._due_entries(connection, affected, taken.changes, levels, now))
        may_concern_others = self.registry.others and any(change.kind in "IT" for change in taken.changes)
        return Matched(taken.changes, enqueued, levels, taken.busy, taken.more, may_concern_others)

    def note(self, connection: Connection, matched: Matched, entries: Sequence[DueEntry], now: datetime) -> None:
        """Write the consequences of taken changes, in the same transaction."""
        self.due_queue.enqueue(connection, [_held(entry, matched, now) for entry in entries])
        RootFollower(self.registry, self.cache_rows, self.dialect).follow(connection, matched.changes, now)
        if matched.may_concern_others:
            self.registry.backfill_others(connection)

    def _match(self, connection: Connection, now: datetime) -> bool:
        with self.database.light_transaction(connection, self.entries.to_take):
            matched = self.take(connection, now)
            if matched is None:
                return False
            self.note(connection, matched, [entry for _, entry in matched.due], now)
            self.reached("before commit", JOURNAL)
        self.reached("after commit", JOURNAL)
        return matched.more

    def _affected(self, connection: Connection, changes: Sequence[Change]) -> list[Affected]:
        """Return each affected cache once, with the first change that affects it."""
        touched = list(self._touched_reads(changes))
        affected = self.manifest_store.affected(connection, touched) if touched else []
        affected += self._affected_by_truncate(connection, changes)
        first: dict[int, Affected] = {}
        for cache in sorted(affected, key=lambda cache: cache.change):
            first.setdefault(cache.cache, cache)
        return list(first.values())

    def _touched_reads(self, changes: Sequence[Change]) -> Iterator[TouchedRead]:
        """Yield each read that was touched, once for each transaction, with the first change that did so."""
        known: set[tuple[int, int, bool, bool]] = set()
        rereads: dict[tuple[int, str, int], bool] = {}
        for position, change in enumerate(changes):
            alike = change.table_id, change.kind, change.columns
            if alike not in rereads:
                rereads[alike] = self.rereads(change)
            reread = rereads[alike]
            for key, is_own_column in self.patterns.touched(change):
                read = key, change.tx, reread, is_own_column
                if read not in known:
                    known.add(read)
                    yield TouchedRead(key, change.tx, position, reread, is_own_column)

    def _affected_by_truncate(self, connection: Connection, changes: Sequence[Change]) -> list[Affected]:
        """Return all caches that ever read of an emptied table: after a TRUNCATE, nobody knows which rows it had."""
        affected: list[Affected] = []
        for position, change in enumerate(changes):
            if change.kind == "T":
                numbers = using(connection, change.table_id)
                c = caches.c
                waits = select(dues.c.cache).where(dues.c.cache == c.id).exists().label("waits")
                query = select(caches, waits).where(c.derivation.in_(numbers), c.computed.is_not(None))
                affected += [affected_by(row, position, True) for row in connection.execute(query)]
        return affected

    def _levels(self, connection: Connection, affected: Iterable[Affected]) -> dict[int, int]:
        cyclic = self.registry.order.cyclic
        return self.levels.known(connection, [cache.cache for cache in affected if cache.derivation in cyclic])

    def _due_entries(
        self,
        connection: Connection,
        affected: Iterable[Affected],
        changes: Sequence[Change],
        levels: dict[int, int],
        now: datetime,
    ) -> Iterator[tuple[Affected, DueEntry]]:
        """Yield each cache with its entry. A cache that reads one of a level is above that level from now on."""
        cycles = CacheCycles(connection, self.registry, self.manifest_store, self.dialect)
        raised: dict[int, int] = {}
        for cache in affected:
            change = changes[cache.change]
            writer = cycles.writer(change, cache)
            if writer is not None and writer.cache != cache.cache and levels[cache.cache] <= writer.level:
                raised[cache.cache] = levels[cache.cache] = writer.level + 1
            entry = DueEntry(
                cache.cache,
                cache.derivation,
                max(now, cache.computed + self._allowed_oldness(cache)),
                since=now,
                cause=cause_text(cause_of(change, self.patterns.table(change.table_id))),
                cause_cache=None if writer is None else writer.cache,
                depth=0 if writer is None else writer.depth + 1,
                reread=cache.reread,
            )
            yield cache, entry
        self.levels.put(connection, raised)

    def _allowed_oldness(self, cache: Affected) -> timedelta:
        derivation = self.registry.by_id.get(cache.derivation)
        if derivation is None:  # left to servers whose model has it
            return timedelta(0)
        return derivation.declaration.when.allow_oldness


def _held(entry: DueEntry, matched: Matched, now: datetime) -> DueEntry:
    """Return an entry as it is noted: above the lowest level of a cycle, caches are blocked until others have run."""
    level = matched.levels.get(entry.cache, 0)
    return replace(entry, due=blocked_due(level)) if level and entry.due <= now else entry
