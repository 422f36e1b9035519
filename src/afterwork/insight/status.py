"""The status of a database in a few numbers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, SelectBase, bindparam, func, or_, select, union_all

from afterwork.insight import servers
from afterwork.store import lane_limits, lane_rate, tables
from afterwork.store.bounded_count import BOUND, NONE, Count
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.database import Database
from afterwork.store.tickets.columns import aware
from afterwork.store.tickets.filter import TicketFilter
from afterwork.store.tickets.walk import TicketWalk


@dataclass(frozen=True)
class Status:
    """The status of a database.

    `waiting` counts pending tickets by lane, `oldest` is how long the first due one has waited. `stale` counts stale
    caches, `stale_for` is how long the first has been stale. Each is counted up to some thousands. `used_up` has the
    lanes with waiting work whose rate is used up, with the time at which the next may begin. `stuck` are the servers
    that have no worker left for external runs.
    """

    waiting: dict[str, Count]
    running: int
    oldest: timedelta | None
    servers: Sequence[str]
    paused: Sequence[str]
    stale: Count
    stale_for: timedelta | None
    used_up: Mapping[str, datetime] = field(default_factory=dict)
    stuck: Sequence[str] = ()

    @property
    def waiting_in_all(self) -> Count:
        return sum(self.waiting.values(), start=NONE)


def status(database: Database, connection: Connection, walk: TicketWalk, now: datetime) -> Status:
    waiting = {lane: walk.count(connection, TicketFilter("pending", lane=lane)) for lane in walk.lanes(connection)}
    running = connection.execute(select(func.count()).select_from(tables.lease)).scalar_one()
    paused = connection.execute(select(tables.lane.c.name).where(tables.lane.c.paused)).scalars().all()
    stale, stale_for = count_stale_caches(connection, now)
    living = servers.living(database, connection, now)
    return Status(
        waiting, running, _oldest(connection, walk, now), living, paused, stale, stale_for,
        dict(_without_rate_left(connection, waiting, now)), servers.without_workers(database, connection, now),
    )  # fmt: skip


def _without_rate_left(
    connection: Connection, waiting: Collection[str], now: datetime
) -> Iterator[tuple[str, datetime]]:
    paced = [name for name, (_, rate) in lane_limits.rules(connection).items() if rate is not None and name in waiting]
    for name in sorted(paced):
        if (free_from := lane_rate.free_from(connection, name, now)) is not None:
            yield name, free_from


def _oldest(connection: Connection, walk: TicketWalk, now: datetime) -> timedelta | None:
    """Return how long the first due ticket has waited: since its due time, or its creation if it names none."""
    firsts = walk.firsts(connection, TicketFilter("waiting"))
    return max((span for row in firsts if (span := _since(row.earliest or row.created, now)) is not None), default=None)


def count_stale_caches(connection: Connection, now: datetime) -> tuple[Count, timedelta | None]:
    """Return the number of stale caches, and how long the first of those that run next has been stale."""
    total, firsts = NONE, list[datetime]()
    stale: CompoundSelect[Any] = union_all(
        _counted(dues.c.claim.is_not(None)),
        _counted(dues.c.claim.is_(None), ~dues.c.backfill),
        _counted(dues.c.claim.is_(None), dues.c.backfill),
    )
    for derivation in connection.execute(select(derivations.c.id)).scalars().all():
        for number, first in connection.execute(stale, {"derivation": derivation, "now": now}):
            total += Count.up_to(number)
            firsts += [] if first is None else [first]
    return total, _since(min(firsts, default=None), now)


def _counted(*where: ColumnElement[bool]) -> SelectBase:
    """Select the number of stale caches of one derivation, and their first timestamp.

    Stale ones are due first, so no more than `BOUND` rows need be read.
    """
    d = dues.c
    own = select(d.since, d.due).where(d.derivation == bindparam("derivation"), *where).order_by(d.due)
    bounded = own.limit(BOUND + 1).subquery()
    is_stale = or_(bounded.c.since.is_not(None), bounded.c.due <= bindparam("now", type_=d.due.type))
    return select(func.count().label("number"), func.min(bounded.c.since).label("first")).where(is_stale)


def _since(first: datetime | None, now: datetime) -> timedelta | None:
    moment = aware(first)
    return None if moment is None else max(timedelta(0), now - moment)
