"""The order of caches within a circle of definitions: a tree whose totals are made of those below, a chain of rows.

There, each cache has a level, one above those that it reads, and caches of the lowest level run first. The others are
held until nothing else of their circle is to be done. As long as nobody knows what a cache reads, it runs to find out:
where it has read what is still to be made, its result is thrown away, and it waits for just that.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, update

from afterwork.derived.queue.due_queue import HELD, UNCLAIMED, WAITING, ClaimedBatch
from afterwork.derived.queue.feeders import Feeder, FeederRun, Feeders
from afterwork.derived.queue.registry import RegisteredDerivation
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import due as dues
from afterwork.derived.tables import wait as waits

PATIENCE = 5
"""So often a cache that has run too early waits for others. Then it is made of what there is."""

LONGEST = timedelta(minutes=5)
"""So long a cache is held at most, where others of its circle never come to rest."""


@dataclass(frozen=True)
class RowOrder:
    """What is to become of runs: the level of each that may be stored, and what each of the others has come too early
    for: the caches that are still to be made. There are none if those are made in the same batch."""

    levels: Mapping[int, int]
    early: Mapping[int, Collection[int]]


@dataclass(frozen=True)
class Levels:
    """The statements on levels, and on who waits for whom."""

    feeders: Feeders

    def order(
        self,
        connection: Connection,
        writers: Iterable[RegisteredDerivation],
        circle: Collection[int],
        runs: Sequence[FeederRun],
        now: datetime,
    ) -> RowOrder:
        """See which of some runs have come too early for what they have read of what some definitions write, in the
        transaction that stores them. They wait only for those of their circle: others run before them anyway."""
        feeders = self.feeders.of(connection, writers, runs, now)
        read = {run.cache: {one.cache for one in feeders.get(run.cache, ())} for run in runs}
        unmade = {one.cache for found in feeders.values() for one in found if not one.is_made} - read.keys()
        changed = {run.cache for run in runs if run.is_new}
        waited = {one.cache for found in feeders.values() for one in found if one.derivation in circle}
        early = _early({run.cache: read[run.cache] for run in runs if not run.has_waited}, unmade | changed)
        return RowOrder(
            {number: _above(feeders.get(number, ())) for number in read.keys() - early},
            {number: read[number] & (unmade | early) & waited for number in early},
        )

    def hold(
        self, connection: Connection, batch: ClaimedBatch, early: Mapping[int, Collection[int]], now: datetime
    ) -> None:
        """Give back what has come too early, until what it waits for is made."""
        for number, others in early.items():
            ours = dues.c.claim == batch.claim, dues.c.cache == number
            due = WAITING if others else now
            connection.execute(update(dues).where(*ours).values(**UNCLAIMED, due=due, waited=dues.c.waited + 1))
        edges = [{"reader": number, "feeder": other} for number, others in early.items() for other in others]
        connection.execute(delete(waits).where(waits.c.reader.in_(list(early))))
        if edges:
            connection.execute(waits.insert(), edges)

    def made(self, connection: Connection, levels: Mapping[int, int], now: datetime) -> None:
        """Note the levels of caches that were made, and let go of those that have waited for them."""
        known = self.known(connection, levels)
        self.put(connection, {number: level for number, level in levels.items() if known.get(number) != level})
        self.release(connection, list(levels), now)

    def release(self, connection: Connection, made: Collection[int], now: datetime) -> None:
        """Let go of caches that have waited for some, which were made, alone."""
        gone = delete(waits).where(waits.c.feeder.in_(made)).returning(waits.c.reader)
        readers = set(connection.execute(gone).scalars())
        if readers:
            self._let_go(connection, now, dues.c.cache.in_(readers))

    def _let_go(self, connection: Connection, now: datetime, *which: object) -> int:
        waiting = select(waits.c.feeder).where(waits.c.reader == dues.c.cache).exists()
        held = dues.c.claim.is_(None), dues.c.due >= WAITING, ~waiting
        return connection.execute(update(dues).where(*held, *which).values(due=now)).rowcount  # type: ignore[arg-type]

    def put(self, connection: Connection, levels: Mapping[int, int]) -> None:
        """Write the levels of caches."""
        if levels:
            own = update(caches).where(caches.c.id == bindparam("of")).values(level=bindparam("to"))
            connection.execute(own, [{"of": number, "to": level} for number, level in sorted(levels.items())])

    def known(self, connection: Connection, numbers: Iterable[int]) -> dict[int, int]:
        """The levels of caches."""
        c = caches.c
        some = list(numbers)
        if not some:
            return {}
        return {row.id: row.level or 0 for row in connection.execute(select(c.id, c.level).where(c.id.in_(some)))}

    def free(self, connection: Connection, circle: Collection[int], now: datetime) -> None:
        """Let go of the lowest level that is held of a circle of definitions. If all that is left waits for others, let
        go of what waits for what has been made meanwhile, or for itself by way of others."""
        d = dues.c
        held = d.derivation.in_(circle), d.claim.is_(None), d.due >= HELD
        first = connection.execute(select(d.due).where(*held).order_by(d.due).limit(1)).scalar()
        if first is None:
            return
        if first < WAITING:
            is_next = (d.due == first) | (d.since <= now - LONGEST)
            connection.execute(update(dues).where(*held, is_next).values(due=now))
        elif not self._let_go(connection, now, d.derivation.in_(circle)):
            stuck = self._stuck(connection, circle)
            connection.execute(delete(waits).where(waits.c.reader.in_(stuck)))
            connection.execute(update(dues).where(d.cache.in_(stuck)).values(waited=PATIENCE))
            self._let_go(connection, now, d.cache.in_(stuck))

    def _stuck(self, connection: Connection, circle: Collection[int]) -> list[int]:
        """Caches that wait for one another in a circle. What none of a circle waits for would run in vain."""
        d = dues.c
        held = d.derivation.in_(circle), d.claim.is_(None), d.due >= WAITING
        way = [connection.execute(select(d.cache).where(*held).limit(1)).scalar_one()]
        while True:
            onward = select(waits.c.feeder).join(dues, d.cache == waits.c.feeder).where(*held).limit(1)
            next_one = connection.execute(onward.where(waits.c.reader == way[-1])).scalar()
            if next_one is None:
                return way[-1:]
            if next_one in way:
                return way[way.index(next_one) :]
            way.append(next_one)


def _early(read: Mapping[int, Collection[int]], unmade: Collection[int]) -> set[int]:
    """Return those that have read what is still to be made, or what has come too early itself."""
    readers: dict[int, list[int]] = defaultdict(list)
    for reader, others in read.items():
        for other in others:
            readers[other].append(reader)
    early: set[int] = set()
    todo = list(unmade)
    while todo:
        new = set(readers[todo.pop()]) - early
        early |= new
        todo += new
    return early


def _above(feeders: Iterable[Feeder]) -> int:
    return 1 + max((one.level for one in feeders), default=-1)
