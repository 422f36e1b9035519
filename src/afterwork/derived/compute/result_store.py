"""Making derived members fresh: calculate in one state of the database, then write in a short transaction of its own.

While a value is calculated, nothing is locked. Whatever changes meanwhile is found when the value is written: the
journal keeps aside what a calculation in flight may not have seen, so the cache is born stale, and runs again.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from afterwork.clock import Clock
from afterwork.derived.cause import Cause, cause_of, written
from afterwork.derived.compute.column_result import ResultColumn
from afterwork.derived.compute.column_writer import ColumnWriter
from afterwork.derived.compute.python_calculator import Calculated
from afterwork.derived.manifest.manifest_store import digest
from afterwork.derived.manifest.read_pattern import pattern_number
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_rows import RunResult
from afterwork.derived.queue.cycle_levels import PATIENCE, RowOrder
from afterwork.derived.queue.due_queue import ClaimedBatch, DueMark
from afterwork.derived.queue.feeders import FeederRun
from afterwork.derived.queue.registry import RegisteredDerivation
from afterwork.errors import CircularCaches, GivenUp, NotAtOnce
from afterwork.jobs.outcome import text_of
from afterwork.model.derivation import MemberDerivation
from afterwork.model.key import is_one_of
from afterwork.store.suspects import TRIED_AGAIN

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=1)
"""After an error a calculation is tried again by and by, and at once when something that it read changes."""

LOCKED_PAUSE = timedelta(milliseconds=100)
"""How long a value waits whose row somebody else has locked."""


NO_ORDER = RowOrder({}, {})
"""Of definitions that are in no circle."""


def pause_after(attempts: int) -> timedelta:
    """How long a cache that has failed so often waits before it is tried again."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(attempts, 10)))


def _again(definition: RegisteredDerivation, failed: Calculated, now: datetime, until: datetime | None) -> DueMark:
    """When what has failed is tried again. What made it stale stays its cause, also the way round in a circle: it
    fails again if that is still there."""
    claimed = failed.claimed
    due = now + (TRIED_AGAIN if isinstance(failed.error, GivenUp) else pause_after(claimed.attempts))
    due = due if until is None else max(now, min(due, until))
    again = DueMark(claimed.cache, definition.id, due, now, claimed.cause, attempts=claimed.attempts + 1)
    is_circle = isinstance(failed.error, CircularCaches)
    return replace(again, cause_cache=claimed.cause_cache, depth=claimed.depth) if is_circle else again


@dataclass(frozen=True)
class ResultStore:
    """Stores what calculations came to."""

    matcher: Matcher
    clock: Clock
    _writers: dict[int, ColumnWriter] = field(default_factory=dict)
    _columns: dict[int, ResultColumn] = field(default_factory=dict)

    def settled(
        self, connection: Connection, definition: RegisteredDerivation, calculated: Sequence[Calculated]
    ) -> Sequence[Calculated]:
        """Tell results that are new from those of which the same would come back as what is stored."""
        cache, target = definition.declaration, definition.target
        if not isinstance(cache, MemberDerivation) or target is None or not any(one.is_new for one in calculated):
            return calculated
        if definition.id not in self._columns:
            self._columns[definition.id] = ResultColumn(
                self.matcher.database, target.table, cache.column, definition.name
            )
        return self._columns[definition.id].settled(connection, calculated)

    def store(
        self,
        connection: Connection,
        definition: RegisteredDerivation,
        batch: ClaimedBatch,
        snapshot: Any,
        calculated: Sequence[Calculated],
        now: datetime,
    ) -> list[Calculated]:
        """Write values that are new, manifests that are others, and what each run left; end the claims. Returns what
        was stored: some may have been taken over by another server, or have rows that somebody else has locked."""
        calculated = self.settled(connection, definition, calculated)
        connection.commit()
        before = self.matcher.registry.order.direct[definition.id]
        tokens = {
            one.claimed.cache: self.read_keys(connection, definition, one.reads)
            for one in calculated
            if one.reads is not None
        }
        with self.matcher.database.transaction(connection, self.matcher.entries.to_end):
            locked = self._locked(connection, definition, calculated)
            done = [one for one in calculated if one.claimed.cache not in locked]
            order = self._order(connection, definition, before, done, now)
            done = [one for one in done if one.claimed.cache not in order.early]
            ended = self.matcher.due_queue.end(connection, batch, [one.claimed.cache for one in done])
            done = [one for one in done if one.claimed.cache in ended]
            self._write_values(connection, definition, done)
            self._leave(connection, snapshot, done, tokens, now)
            stale = self.born_stale(
                connection, snapshot, {one.claimed.cache: tokens.get(one.claimed.cache) for one in done}
            )
            self.matcher.due_queue.mark(connection, list(self._marks(definition, done, stale, now)))
            self._settle(connection, definition, done, now)
            if self.matcher.registry.order.cycle(definition.id):
                self._note_order(connection, batch, order, ended, now)
            rest = [one.cache for one in batch.caches if one.cache not in ended]
            self.matcher.due_queue.put_back(connection, batch, rest, now + LOCKED_PAUSE if locked else now)
            self.matcher.reached("before commit", definition.name)
        self.matcher.reached("after commit", definition.name)
        return done

    def _order(
        self,
        connection: Connection,
        definition: RegisteredDerivation,
        before: Set[int],
        done: Sequence[Calculated],
        now: datetime,
    ) -> RowOrder:
        """What has read what is still to be made, of its own circle of definitions, and of those of which it is known
        only now that it reads them."""
        known = self.matcher.registry
        circle = known.order.cycle(definition.id)
        writers = circle | (known.order.direct[definition.id] - before)
        if not writers:
            return NO_ORDER
        runs = [
            FeederRun(one.claimed.cache, one.reads, one.is_new, one.claimed.waited >= PATIENCE)
            for one in done
            if one.reads is not None
        ]
        return self.matcher.levels.order(connection, [known.by_id[one] for one in writers], circle, runs, now)

    def _note_order(
        self, connection: Connection, batch: ClaimedBatch, order: RowOrder, ended: Collection[int], now: datetime
    ) -> None:
        if order.early:
            self.matcher.levels.hold(connection, batch, order.early, now)
        made = {number: order.levels[number] for number in ended if number in order.levels}
        if made:
            self.matcher.levels.made(connection, made, now)

    def store_at_once(
        self,
        connection: Connection,
        definition: RegisteredDerivation,
        snapshot: Any,
        calculated: Sequence[Calculated],
        waiting: Collection[int],
        now: datetime,
    ) -> list[Calculated]:
        """The same for what nobody has claimed, in the transaction in which it was calculated, with nobody taking
        changes meanwhile. `waiting` are those that are noted to run at some moment.

        Raises `NotAtOnce` if something must be noted first in a transaction of its own.
        """
        tokens = {one.claimed.cache: self._known(definition, one.reads) for one in calculated if one.reads is not None}
        calculated = self.settled(connection, definition, calculated)
        locked = self._locked(connection, definition, calculated)
        done = [one for one in calculated if one.claimed.cache not in locked]
        self._write_values(connection, definition, done)
        self._leave(connection, snapshot, done, tokens, now)
        self.matcher.due_queue.drop(connection, set(waiting) - set(locked))
        self.matcher.due_queue.mark(connection, list(self._marks(definition, done, {}, now)))
        self._settle(connection, definition, done, now)
        if self.matcher.registry.order.cycle(definition.id):
            self.matcher.levels.release(connection, [one.claimed.cache for one in done], now)
        return done

    def _settle(
        self, connection: Connection, definition: RegisteredDerivation, done: Sequence[Calculated], now: datetime
    ) -> None:
        """An object that was not seen is gone, or hidden. Then its cache rests, until it may be seen again."""
        unseen = [one.claimed.root for one in done if one.root is None]
        if unseen:
            self.matcher.cache_rows.settle(connection, definition, unseen, now)

    def _known(self, definition: RegisteredDerivation, reads: Reads) -> set[int]:
        if self.matcher.patterns.unnumbered(reads):
            raise NotAtOnce("a kind of read is new")
        found = self.matcher.patterns.read_keys(reads)
        if not self.matcher.registry.knows(definition.id, set(map(pattern_number, found))):
            raise NotAtOnce("a kind of read is new to this cache")
        return found

    def read_keys(self, connection: Connection, definition: RegisteredDerivation, reads: Reads) -> set[int]:
        """The manifest for what was read. Shapes that are new get their numbers, in transactions of their own."""
        for shape in self.matcher.patterns.unnumbered(reads):
            self.matcher.patterns.number_of(connection, shape)
        found = self.matcher.patterns.read_keys(reads)
        self.learn(connection, definition, found)
        return found

    def learn(self, connection: Connection, definition: RegisteredDerivation, tokens: Collection[int]) -> None:
        """Note what kinds of reads the runs of a cache make."""
        self.matcher.registry.learn(connection, definition.id, set(map(pattern_number, tokens)))

    def _locked(
        self, connection: Connection, definition: RegisteredDerivation, calculated: Sequence[Calculated]
    ) -> Collection[int]:
        """The caches whose rows somebody else has locked. To wait for one while having others could be a deadlock."""
        new = [one for one in calculated if one.is_new and one.root is not None]
        if len(new) < 2 or self.matcher.database.dialect == "sqlite":
            return ()
        keys = {one.root.key: one.claimed.cache for one in new if one.root is not None}
        assert definition.target is not None
        columns = definition.objects.key_columns(definition.target)
        free = select(*columns).where(is_one_of(columns, keys)).with_for_update(key_share=True, skip_locked=True)
        found = {tuple(row) for row in connection.execute(free)}
        return {cache for key, cache in keys.items() if key not in found}

    def _write_values(
        self, connection: Connection, definition: RegisteredDerivation, done: Sequence[Calculated]
    ) -> None:
        """Write the column and nothing else: not the moment of the last change or the version, which are the users'."""
        new = [one for one in done if one.is_new and one.root is not None]
        if not new:
            return
        assert isinstance(definition.declaration, MemberDerivation)
        assert definition.target is not None
        rows = [(one.root.key, one.value) for one in sorted(new, key=lambda one: str(one.root)) if one.root is not None]
        writer = self._writers.get(definition.id)
        if writer is None:
            key = definition.objects.key_columns(definition.target)
            writer = self._writers[definition.id] = ColumnWriter(definition.target, key, definition.declaration.column)
        writer.write(connection, rows)

    def _leave(
        self,
        connection: Connection,
        snapshot: Any,
        done: Sequence[Calculated],
        tokens: dict[int, set[int]],
        now: datetime,
    ) -> None:
        digests = {
            one.claimed.cache: digest(tokens[one.claimed.cache], in_sql=one.in_sql)
            if one.claimed.cache in tokens
            else one.claimed.digest
            for one in done
        }
        self.matcher.cache_rows.ran(
            connection,
            [
                RunResult.of_run(
                    one.claimed,
                    snapshot,
                    None,
                    digests[one.claimed.cache],
                    now,
                    one.took,
                    None if one.error is None else text_of(one.error),
                    wrote=one.is_new and one.root is not None,
                )
                for one in done
            ],
        )
        others = {
            one.claimed.cache: tokens[one.claimed.cache]
            for one in done
            if one.claimed.cache in tokens and digests[one.claimed.cache] != one.claimed.digest
        }
        if others:
            self.matcher.manifest_store.save(connection, others)

    def _marks(
        self, definition: RegisteredDerivation, done: Sequence[Calculated], stale: Mapping[int, str], now: datetime
    ) -> list[DueMark]:
        """What is to run again: because it was born stale, failed, or holds only until a moment."""
        marks = []
        for one in done:
            number = one.claimed.cache
            until = None if one.reads is None else one.reads.valid_until
            if one.error is not None and number not in stale:
                marks.append(_again(definition, one, now, until))
            else:
                marks += self.next_marks(definition, number, stale.get(number), until)
        return marks

    def next_marks(
        self, definition: RegisteredDerivation, cache: int, stale: str | None, until: datetime | None
    ) -> list[DueMark]:
        """When a cache that has just run is to run again, as far as is known: because it was born stale, with the cause
        of that, or because what it came to holds only until a moment."""
        now = self.clock.now()
        if stale is not None:
            return [DueMark(cache, definition.id, now + definition.declaration.when.allow_oldness, now, stale)]
        if until is not None:
            return [DueMark(cache, definition.id, max(now, until), None, written(Cause("time", moment=until)))]
        return []

    def born_stale(
        self, connection: Connection, snapshot: Any, tokens: Mapping[int, set[int] | None], own: int | None = None
    ) -> dict[int, str]:
        """The caches whose run has not seen a change of what they read that has been matched already, with that as
        their cause. What the transaction `own` has changed was changed by the run itself."""
        found: dict[int, str] = {}
        unseen = self.matcher.entries.unseen(connection, snapshot)
        if not unseen:
            return found
        same = self.matcher.manifest_store.read_keys(
            connection, [number for number, some in tokens.items() if some is None]
        )
        tokens = {number: set(same.get(number, ())) if some is None else some for number, some in tokens.items()}
        for change in unseen:
            if own is not None and change.tx == own:
                continue
            touched = {*self.matcher.patterns.touched_keys(change), *self.matcher.patterns.overwritten_keys(change)}
            emptied = change.kind == "T"
            for number, manifest in tokens.items():
                if number not in found and (emptied or not touched.isdisjoint(manifest or ())):
                    found[number] = written(cause_of(change, self.matcher.patterns.table(change.table_id)))
        return found
