"""The order of caches within a cycle of derivations, such as a tree of totals or a chain of rows.

There, each cache has a level, one above those that it reads, and caches of the lowest level run first. The others are
blocked until nothing else of their cycle is due. As long as nobody knows what a cache reads, it runs to find out: if it
has read what is still to be made, its result is thrown away, and it waits for just that.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, update

from afterwork.derived.queue.due_cache import WAITING, ClaimedBatch
from afterwork.derived.queue.due_queue import UNCLAIMED
from afterwork.derived.queue.feeders import Feeder, FeederRun, Feeders
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.store.caches.tables import BLOCKED
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues
from afterwork.store.caches.tables import wait as waits

MAX_EARLY_RUNS = 5
"""The number of times that a cache which ran too early waits for others. Then it is made of the values that exist."""

MAX_HELD = timedelta(minutes=5)
"""The longest that a cache is blocked where others of its cycle never become idle."""


@dataclass(frozen=True)
class RowOrder:
    """The decision about runs: the levels of those that may be stored, and the caches that each early one must await.

    An early run waits for none if those are made in the same batch.
    """

    levels: Mapping[int, int]
    early: Mapping[int, Collection[int]]


@dataclass(frozen=True)
class Levels:
    """The levels of caches, and who waits for whom."""

    feeders: Feeders

    def order(
        self,
        connection: Connection,
        writers: Iterable[RegisteredDerivation],
        cycle: Collection[int],
        runs: Sequence[FeederRun],
        now: datetime,
    ) -> RowOrder:
        """Find the runs that are too early for what they have read from `writers`, in the transaction that stores them.

        They wait only for caches of their cycle: other feeders run before them anyway.
        """
        feeders = self.feeders.of(connection, writers, runs, now)
        read = {run.cache: {feeder.cache for feeder in feeders.get(run.cache, ())} for run in runs}
        all_feeders = [feeder for of_run in feeders.values() for feeder in of_run]
        unmade = {feeder.cache for feeder in all_feeders if not feeder.is_made} - read.keys()
        changed = {run.cache for run in runs if run.is_new}
        waited = {feeder.cache for feeder in all_feeders if feeder.derivation in cycle}
        early = _early({run.cache: read[run.cache] for run in runs if not run.has_waited}, unmade | changed)
        return RowOrder(
            {number: _above(feeders.get(number, ())) for number in read.keys() - early},
            {number: read[number] & (unmade | early) & waited for number in early},
        )

    def hold(
        self, connection: Connection, batch: ClaimedBatch, early: Mapping[int, Collection[int]], now: datetime
    ) -> None:
        """Hold early runs until the caches they wait for are made."""
        for reader, feeders in early.items():
            ours = dues.c.claim == batch.claim, dues.c.cache == reader
            due = WAITING if feeders else now
            connection.execute(update(dues).where(*ours).values(**UNCLAIMED, due=due, waited=dues.c.waited + 1))
        edges = [{"reader": reader, "feeder": feeder} for reader, feeders in early.items() for feeder in feeders]
        connection.execute(delete(waits).where(waits.c.reader.in_(list(early))))
        if edges:
            connection.execute(waits.insert(), edges)

    def made(self, connection: Connection, levels: Mapping[int, int], now: datetime) -> None:
        """Note the levels of caches that were made, and release those that have waited for them."""
        known = self.known(connection, levels)
        self.put(connection, {number: level for number, level in levels.items() if known.get(number) != level})
        self.release(connection, list(levels), now)

    def release(self, connection: Connection, made: Collection[int], now: datetime) -> None:
        """Release the caches that have waited for none but these, which were made."""
        gone = delete(waits).where(waits.c.feeder.in_(made)).returning(waits.c.reader)
        readers = set(connection.execute(gone).scalars())
        if readers:
            self._release(connection, now, dues.c.cache.in_(readers))

    def _release(self, connection: Connection, now: datetime, *which: object) -> int:
        waiting = select(waits.c.feeder).where(waits.c.reader == dues.c.cache).exists()
        blocked = dues.c.claim.is_(None), dues.c.due >= WAITING, ~waiting
        return connection.execute(update(dues).where(*blocked, *which).values(due=now)).rowcount  # type: ignore[arg-type]

    def put(self, connection: Connection, levels: Mapping[int, int]) -> None:
        if levels:
            own = update(caches).where(caches.c.id == bindparam("of")).values(level=bindparam("to"))
            connection.execute(own, [{"of": number, "to": level} for number, level in sorted(levels.items())])

    def known(self, connection: Connection, numbers: Iterable[int]) -> dict[int, int]:
        c = caches.c
        caches_asked = list(numbers)
        if not caches_asked:
            return {}
        query = select(c.id, c.level).where(c.id.in_(caches_asked))
        return {row.id: row.level or 0 for row in connection.execute(query)}

    def release_lowest(self, connection: Connection, cycle: Collection[int], now: datetime) -> None:
        """Release the lowest level that is blocked in a cycle of derivations.

        If all the rest waits for others, release what waits for caches made meanwhile, or for itself through others.
        """
        d = dues.c
        blocked = d.derivation.in_(cycle), d.claim.is_(None), d.due >= BLOCKED
        first = connection.execute(select(d.due).where(*blocked).order_by(d.due).limit(1)).scalar()
        if first is None:
            return
        if first < WAITING:
            is_next = (d.due == first) | (d.since <= now - MAX_HELD)
            connection.execute(update(dues).where(*blocked, is_next).values(due=now))
        elif not self._release(connection, now, d.derivation.in_(cycle)):
            deadlocked = self._deadlocked(connection, cycle)
            connection.execute(delete(waits).where(waits.c.reader.in_(deadlocked)))
            connection.execute(update(dues).where(d.cache.in_(deadlocked)).values(waited=MAX_EARLY_RUNS))
            self._release(connection, now, d.cache.in_(deadlocked))

    def _deadlocked(self, connection: Connection, cycle: Collection[int]) -> list[int]:
        """Return caches that wait for one another. A cache that only waits for them would run in vain."""
        d = dues.c
        blocked = d.derivation.in_(cycle), d.claim.is_(None), d.due >= WAITING
        path = [connection.execute(select(d.cache).where(*blocked).limit(1)).scalar_one()]
        while True:
            onward = select(waits.c.feeder).join(dues, d.cache == waits.c.feeder).where(*blocked).limit(1)
            next_cache = connection.execute(onward.where(waits.c.reader == path[-1])).scalar()
            if next_cache is None:
                return path[-1:]
            if next_cache in path:
                return path[path.index(next_cache) :]
            path.append(next_cache)


def _early(read: Mapping[int, Collection[int]], unmade: Collection[int]) -> set[int]:
    """Return those that have read what is still to be made, or what is too early itself."""
    readers: dict[int, list[int]] = defaultdict(list)
    for reader, feeders in read.items():
        for feeder in feeders:
            readers[feeder].append(reader)
    early: set[int] = set()
    todo = list(unmade)
    while todo:
        new = set(readers[todo.pop()]) - early
        early |= new
        todo += new
    return early


def _above(feeders: Iterable[Feeder]) -> int:
    return 1 + max((feeder.level for feeder in feeders), default=-1)
