"""Matching: which caches have read what has changed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Dialect, select
from sqlalchemy.exc import DBAPIError

from afterwork.derived.cause import cause_of, written
from afterwork.derived.manifest.manifest_store import Hit, Manifests, Touch, hit_of
from afterwork.derived.manifest.read_patterns import Shapes
from afterwork.derived.matching.cycles import Circles
from afterwork.derived.queue.due import DueCaches, Mark, held_at
from afterwork.derived.queue.levels import Levels
from afterwork.derived.queue.registry import Definition, Definitions, using
from afterwork.derived.queue.rows import Heads
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import due as dues
from afterwork.derived.tracking.unfound_rows import missed
from afterwork.errors import UnnamedObject
from afterwork.events import Point
from afterwork.store.database import Database
from afterwork.store.journal.change import Change
from afterwork.store.journal.entries import Entries
from afterwork.store.journal.tracked_table import Watch
from afterwork.store.journal.values import is_written_otherwise

JOURNAL = "journal"
"""What is at work where no cache is."""


@dataclass(frozen=True)
class Matched:
    """Changes that were taken out of the journal, and the caches that have read what was changed, each with why it is
    to run; `levels` are those of the caches that are in a circle. `busy` says that others are due or claimed already,
    `more` that there may be more changes."""

    changes: Sequence[Change]
    found: Sequence[tuple[Hit, Mark]]
    levels: Mapping[int, int]
    busy: bool
    more: bool
    fill_others: bool


@dataclass(frozen=True)
class Matcher:
    """Crosses the journal with the manifests, in one short transaction at a time."""

    database: Database
    entries: Entries
    shapes: Shapes
    definitions: Definitions
    manifests: Manifests
    dues: DueCaches
    heads: Heads
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
        taken = self.entries.take(connection, self.definitions.mine, now)
        if not taken.changes:
            return None
        if taken.shapes > self.shapes.count:
            self.shapes.load(connection)
        if taken.uses > self.definitions.uses or taken.definitions != self.definitions.version:
            self.definitions.load(connection)
        found, levels = self._found(connection, taken.changes, now)
        others = self.definitions.others and any(one.kind in "IT" for one in taken.changes)
        return Matched(taken.changes, found, levels, taken.busy, taken.more, others)

    def note(self, connection: Connection, matched: Matched, marks: Sequence[Mark], now: datetime) -> None:
        """Write what comes of changes that were taken, in the same transaction."""
        self.dues.mark(connection, [self._held(mark, matched, now) for mark in marks])
        self._follow_roots(connection, matched.changes, now)
        if matched.fill_others:
            self.definitions.fill_others(connection)

    def _held(self, mark: Mark, matched: Matched, now: datetime) -> Mark:
        """A mark as it is noted: above the lowest level of a circle, caches are held until others have run."""
        level = matched.levels.get(mark.cache, 0)
        return replace(mark, due=held_at(level)) if level and mark.due <= now else mark

    def _found(
        self, connection: Connection, changes: Sequence[Change], now: datetime
    ) -> tuple[list[tuple[Hit, Mark]], Mapping[int, int]]:
        touched = list(self._touches(changes))
        hits = self.manifests.hits(connection, touched) if touched else []
        hits += self._emptied(connection, changes)
        first: dict[int, Hit] = {}
        for hit in sorted(hits, key=lambda hit: hit.change):
            first.setdefault(hit.cache, hit)
        circular = self.definitions.order.circular
        levels = self.levels.known(connection, [hit.cache for hit in first.values() if hit.definition in circular])
        marks = list(self._marks(connection, first.values(), changes, now, levels))
        return list(zip(first.values(), marks, strict=True)), levels

    def _touches(self, changes: Sequence[Change]) -> Iterator[Touch]:
        """What was touched, each once for each transaction, by the first change that did so."""
        known: set[tuple[int, int, bool, bool]] = set()
        rereads: dict[tuple[int, str, int], bool] = {}
        for place, change in enumerate(changes):
            alike = change.watch, change.kind, change.columns
            if alike not in rereads:
                rereads[alike] = self.rereads(change)
            reread = rereads[alike]
            touched = {(token, change.tx, reread, False) for token in self.shapes.touched(change)}
            touched |= {(token, change.tx, reread, True) for token in self.shapes.overwritten(change)}
            for token, tx, again, by_reader in touched - known:
                yield Touch(token, tx, place, again, by_reader)
            known |= touched

    def _marks(
        self,
        connection: Connection,
        hits: Iterable[Hit],
        changes: Sequence[Change],
        now: datetime,
        levels: dict[int, int],
    ) -> Iterator[Mark]:
        """Why each is to run. What is made of a level is above it from now on."""
        circles = Circles(connection, self.definitions, self.dialect)
        raised: dict[int, int] = {}
        for hit in hits:
            definition = self.definitions.by_id.get(hit.definition)
            change = changes[hit.change]
            writer = circles.writer(change, hit)
            if writer is not None and writer.cache != hit.cache and levels[hit.cache] <= writer.level:
                raised[hit.cache] = levels[hit.cache] = writer.level + 1
            # One that this model has not is left to servers whose model has it.
            oldness = timedelta(0) if definition is None else definition.cache.when.allow_oldness
            due = max(now, hit.computed + oldness)
            yield Mark(
                hit.cache,
                hit.definition,
                due,
                since=now,
                cause=written(cause_of(change, self.shapes.watch(change.watch))),
                cause_cache=None if writer is None else writer.cache,
                depth=0 if writer is None else writer.depth + 1,
                reread=hit.reread,
            )
        self.levels.put(connection, raised)

    def _emptied(self, connection: Connection, changes: Sequence[Change]) -> list[Hit]:
        """After a TRUNCATE nobody can say which rows there were: all caches that ever read of the table have to run."""
        found: list[Hit] = []
        for place, change in enumerate(changes):
            if change.kind == "T":
                numbers = using(connection, change.watch)
                c = caches.c
                waits = select(dues.c.cache).where(dues.c.cache == c.id).exists().label("waits")
                query = select(caches, waits).where(c.definition.in_(numbers), c.computed.is_not(None))
                found += [hit_of(row, place, True) for row in connection.execute(query)]
        return found

    def _follow_roots(self, connection: Connection, changes: Sequence[Change], now: datetime) -> None:
        """Let each object have its caches, and no others: which these are follows from what is there now, whatever has
        come, gone, or become one of another class, and in whichever order."""
        by_watch: dict[int, list[Change]] = defaultdict(list)
        for change in changes:
            by_watch[change.watch].append(change)
        for definition in self.definitions:
            objects = definition.objects
            if any(change.kind == "T" for watch in objects.tables for change in by_watch.get(watch.id, ())):
                self.heads.forget_all(connection, definition)
                self.definitions.look_through(connection, definition)
            if not objects.elsewhere.isdisjoint(by_watch):
                self.definitions.look_through(connection, definition)
            moved = [
                (watch, change)
                for watch, kinds in objects.tables.items()
                for change in by_watch.get(watch.id, ())
                if change.kind != "U" or (change.columns & kinds and not objects.are_all_rows)
            ]
            if moved:
                self._follow(connection, definition, moved, now)

    def _follow(
        self, connection: Connection, definition: Definition, moved: Sequence[tuple[Watch, Change]], now: datetime
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
        self.heads.add(connection, definition, [root for root in new if root not in unnamed], now)
        self.heads.settle(connection, definition, [*kinds.keys() - set(new)], now)
        self.heads.fail(connection, definition, list(unnamed.values()), now)


def _unfound(connection: Connection, moved: Iterable[tuple[Watch, Change, int | str]]) -> set[tuple[Watch, int | str]]:
    """The keys of rows that have come and that the model does not find by them."""
    last: dict[Watch, dict[int | str, str]] = defaultdict(dict)
    for watch, change, key in moved:
        if not watch.has_certain_key:
            last[watch][key] = change.kind
    return {
        (watch, key)
        for watch, kinds in last.items()
        for key in missed(connection, watch, [key for key, kind in kinds.items() if kind != "D"])
    }
