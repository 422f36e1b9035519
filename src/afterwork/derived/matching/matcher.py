"""Matching: which caches have read what has changed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Dialect, select
from sqlalchemy.exc import DBAPIError

from afterwork.derived.cause import cause_of, written
from afterwork.derived.manifest.manifest_store import Affected, ManifestStore, TouchedRead, affected_by
from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.matching.cycles import CacheCycles
from afterwork.derived.queue.cache_rows import CacheRows
from afterwork.derived.queue.cycle_levels import Levels
from afterwork.derived.queue.due_queue import DueMark, DueQueue, held_at
from afterwork.derived.queue.registry import DerivationRegistry, RegisteredDerivation, using
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import due as dues
from afterwork.derived.tracking.unreachable_keys import unreachable_keys
from afterwork.errors import UnnamedObject
from afterwork.events import Point
from afterwork.store.database import Database
from afterwork.store.journal.change import Change
from afterwork.store.journal.entries import Entries
from afterwork.store.journal.tracked_table import TrackedTable
from afterwork.store.journal.values import is_written_otherwise

JOURNAL = "journal"
"""What is at work where no cache is."""


@dataclass(frozen=True)
class Matched:
    """Changes that were taken out of the journal, and the caches that have read what was changed, each with why it is
    to run; `levels` are those of the caches that are in a circle. `busy` says that others are due or claimed already,
    `more` that there may be more changes."""

    changes: Sequence[Change]
    found: Sequence[tuple[Affected, DueMark]]
    levels: Mapping[int, int]
    busy: bool
    more: bool
    fill_others: bool


@dataclass(frozen=True)
class Matcher:
    """Crosses the journal with the manifests, in one short transaction at a time."""

    database: Database
    entries: Entries
    patterns: ReadPatterns
    registry: DerivationRegistry
    manifest_store: ManifestStore
    due_queue: DueQueue
    cache_rows: CacheRows
    levels: Levels
    reached: Callable[[Point, str], None]
    """Is told of each point at which a server may die."""
    rereads: Callable[[Change], bool] = lambda change: True
    """Whether what a cache that is calculated in SQL depends on may be something else after a change."""

    @property
    def dialect(self) -> Dialect:
        return self.database.engine.dialect

    def match(self, connection: Connection, now: datetime) -> bool:
        """Take changes out of the journal, and have the caches run that have read what was changed. True if there may
        be more. If that is cancelled, as what takes too long may be, it is done with half as many."""
        while True:
            try:
                more = self._match(connection, now)
            except DBAPIError as error:
                if not (self.database.was_cancelled(error) and self.entries.portion.halve()):
                    raise
            else:
                self.entries.portion.went_well()
                return more

    def _match(self, connection: Connection, now: datetime) -> bool:
        with self.database.light_transaction(connection, self.entries.to_take):
            matched = self.take(connection, now)
            if matched is None:
                return False
            self.note(connection, matched, [mark for _, mark in matched.found], now)
            self.reached("before commit", JOURNAL)
        self.reached("after commit", JOURNAL)
        return matched.more

    def take(self, connection: Connection, now: datetime) -> Matched | None:
        """Take changes out of the journal, in the transaction that is open, and find who has read what was changed."""
        taken = self.entries.take(connection, self.registry.mine, now)
        if not taken.changes:
            return None
        if taken.patterns > self.patterns.count:
            self.patterns.load(connection)
        if taken.uses > self.registry.uses or taken.derivations != self.registry.version:
            self.registry.load(connection)
        found, levels = self._found(connection, taken.changes, now)
        others = self.registry.others and any(one.kind in "IT" for one in taken.changes)
        return Matched(taken.changes, found, levels, taken.busy, taken.more, others)

    def note(self, connection: Connection, matched: Matched, marks: Sequence[DueMark], now: datetime) -> None:
        """Write what comes of changes that were taken, in the same transaction."""
        self.due_queue.mark(connection, [self._held(mark, matched, now) for mark in marks])
        self._follow_roots(connection, matched.changes, now)
        if matched.fill_others:
            self.registry.fill_others(connection)

    def _held(self, mark: DueMark, matched: Matched, now: datetime) -> DueMark:
        """A mark as it is noted: above the lowest level of a circle, caches are held until others have run."""
        level = matched.levels.get(mark.cache, 0)
        return replace(mark, due=held_at(level)) if level and mark.due <= now else mark

    def _found(
        self, connection: Connection, changes: Sequence[Change], now: datetime
    ) -> tuple[list[tuple[Affected, DueMark]], Mapping[int, int]]:
        touched = list(self._touches(changes))
        hits = self.manifest_store.affected(connection, touched) if touched else []
        hits += self._emptied(connection, changes)
        first: dict[int, Affected] = {}
        for hit in sorted(hits, key=lambda hit: hit.change):
            first.setdefault(hit.cache, hit)
        circular = self.registry.order.cyclic
        levels = self.levels.known(connection, [hit.cache for hit in first.values() if hit.derivation in circular])
        marks = list(self._marks(connection, first.values(), changes, now, levels))
        return list(zip(first.values(), marks, strict=True)), levels

    def _touches(self, changes: Sequence[Change]) -> Iterator[TouchedRead]:
        """What was touched, each once for each transaction, by the first change that did so."""
        known: set[tuple[int, int, bool, bool]] = set()
        rereads: dict[tuple[int, str, int], bool] = {}
        for place, change in enumerate(changes):
            alike = change.table_id, change.kind, change.columns
            if alike not in rereads:
                rereads[alike] = self.rereads(change)
            reread = rereads[alike]
            touched = {(token, change.tx, reread, False) for token in self.patterns.touched_keys(change)}
            touched |= {(token, change.tx, reread, True) for token in self.patterns.overwritten_keys(change)}
            for token, tx, again, by_reader in touched - known:
                yield TouchedRead(token, tx, place, again, by_reader)
            known |= touched

    def _marks(
        self,
        connection: Connection,
        hits: Iterable[Affected],
        changes: Sequence[Change],
        now: datetime,
        levels: dict[int, int],
    ) -> Iterator[DueMark]:
        """Why each is to run. What is made of a level is above it from now on."""
        circles = CacheCycles(connection, self.registry, self.dialect)
        raised: dict[int, int] = {}
        for hit in hits:
            definition = self.registry.by_id.get(hit.derivation)
            change = changes[hit.change]
            writer = circles.writer(change, hit)
            if writer is not None and writer.cache != hit.cache and levels[hit.cache] <= writer.level:
                raised[hit.cache] = levels[hit.cache] = writer.level + 1
            # One that this model has not is left to servers whose model has it.
            oldness = timedelta(0) if definition is None else definition.declaration.when.allow_oldness
            due = max(now, hit.computed + oldness)
            yield DueMark(
                hit.cache,
                hit.derivation,
                due,
                since=now,
                cause=written(cause_of(change, self.patterns.table(change.table_id))),
                cause_cache=None if writer is None else writer.cache,
                depth=0 if writer is None else writer.depth + 1,
                reread=hit.reread,
            )
        self.levels.put(connection, raised)

    def _emptied(self, connection: Connection, changes: Sequence[Change]) -> list[Affected]:
        """After a TRUNCATE nobody can say which rows there were: all caches that ever read of the table have to run."""
        found: list[Affected] = []
        for place, change in enumerate(changes):
            if change.kind == "T":
                numbers = using(connection, change.table_id)
                c = caches.c
                waits = select(dues.c.cache).where(dues.c.cache == c.id).exists().label("waits")
                query = select(caches, waits).where(c.derivation.in_(numbers), c.computed.is_not(None))
                found += [affected_by(row, place, True) for row in connection.execute(query)]
        return found

    def _follow_roots(self, connection: Connection, changes: Sequence[Change], now: datetime) -> None:
        """Let each object have its caches, and no others: which these are follows from what is there now, whatever has
        come, gone, or become one of another class, and in whichever order."""
        by_watch: dict[int, list[Change]] = defaultdict(list)
        for change in changes:
            by_watch[change.table_id].append(change)
        for definition in self.registry:
            objects = definition.objects
            if any(change.kind == "T" for watch in objects.tables for change in by_watch.get(watch.id, ())):
                self.cache_rows.forget_all(connection, definition)
                self.registry.look_through(connection, definition)
            if not objects.discriminator_tables.isdisjoint(by_watch):
                self.registry.look_through(connection, definition)
            moved = [
                (watch, change)
                for watch, kinds in objects.tables.items()
                for change in by_watch.get(watch.id, ())
                if change.kind != "U" or (change.columns & kinds and not objects.are_all_rows)
            ]
            if moved:
                self._follow(connection, definition, moved, now)

    def _follow(
        self,
        connection: Connection,
        definition: RegisteredDerivation,
        moved: Sequence[tuple[TrackedTable, Change]],
        now: datetime,
    ) -> None:
        kinds: dict[str, set[str]] = defaultdict(set)
        unnamed: dict[str, UnnamedObject] = {}
        keyed = [
            (watch, change, change.key) for watch, change in moved if change.kind != "T" and change.key is not None
        ]
        unfound = _unfound(connection, keyed)
        for watch, change, key in keyed:
            try:
                if (watch, key) in unfound:
                    raise definition.unfound(key, watch)
                kinds[definition.root_of(key, self.dialect, watch)].add(change.kind)
                if change.kind == "D" and is_written_otherwise(watch, key, self.dialect) is None:
                    kinds[definition.unfound(key, watch).root].add("D")  # it may not have been found
            except UnnamedObject as error:
                kinds[error.root].add(change.kind)
                unnamed.pop(error.root, None)
                if change.kind == "I":
                    unnamed[error.root] = error
        # A row that has come and not gone again is there, or its going is still to be taken.
        new = [root for root, found in kinds.items() if found == {"I"} and definition.objects.are_all_rows]
        self.cache_rows.add(connection, definition, [root for root in new if root not in unnamed], now)
        self.cache_rows.settle(connection, definition, [*kinds.keys() - set(new)], now)
        self.cache_rows.fail(connection, definition, list(unnamed.values()), now)


def _unfound(
    connection: Connection, moved: Iterable[tuple[TrackedTable, Change, int | str]]
) -> set[tuple[TrackedTable, int | str]]:
    """The keys of rows that have come and that the model does not find by them."""
    last: dict[TrackedTable, dict[int | str, str]] = defaultdict(dict)
    for watch, change, key in moved:
        if not watch.has_certain_key:
            last[watch][key] = change.kind
    return {
        (watch, key)
        for watch, kinds in last.items()
        for key in unreachable_keys(connection, watch, [key for key, kind in kinds.items() if kind != "D"])
    }
