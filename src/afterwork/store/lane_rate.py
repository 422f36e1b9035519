"""The rate of a lane: when the last runs of it began, over all servers.

At most so many begin in any span of the length, wherever it starts. Each is noted before it begins, in a transaction of
its own, so that a run that fails counts, and one that dies does. What did not begin after all is taken back.
"""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select, update

from afterwork.model.lane import Rate
from afterwork.store.database import Database
from afterwork.store.tables import lane_rate as lane_rates

MAX_STARTS_NOTED = 1000
"""Moments that are noted apart. Of a higher rate, several that are near to each other count as the last of them."""

EPOCH, UNIT = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)

Starts = list[tuple[int, int]]
"""Moments, in microseconds, with how many runs began then; the oldest first."""


def take(database: Database, connection: Connection, lane: str, now: datetime) -> bool:
    """Note that a run of a lane begins. False if too many have begun lately."""
    with database.transaction(connection):
        row = connection.execute(select(lane_rates).where(lane_rates.c.lane == lane).with_for_update()).one_or_none()
        if row is None:
            return True  # it has no rate any more
        rate, moment = Rate(row.max_starts, timedelta(seconds=row.per_seconds)), _number(now)
        starts = _recent(row.starts, rate, moment)
        if _count(starts) >= rate.max_starts:
            return False
        _write(connection, lane, _joined([*starts, (moment, 1)]))
    return True


def give_back(database: Database, connection: Connection, lane: str, now: datetime) -> None:
    """Take back that a run has begun: there was none."""
    with database.transaction(connection):
        row = connection.execute(select(lane_rates).where(lane_rates.c.lane == lane).with_for_update()).one_or_none()
        starts: Starts = [] if row is None else [(moment, count) for moment, count in json.loads(row.starts)]
        for place in range(len(starts) - 1, -1, -1):
            moment, count = starts[place]
            if moment <= _number(now):
                starts[place : place + 1] = [(moment, count - 1)] if count > 1 else []
                _write(connection, lane, starts)
                return


def free_from(connection: Connection, lane: str, now: datetime) -> datetime | None:
    """Return the moment from which on the next run of a lane may begin, if that is to come."""
    row = connection.execute(select(lane_rates).where(lane_rates.c.lane == lane)).one_or_none()
    if row is None:
        return None
    rate = Rate(row.max_starts, timedelta(seconds=row.per_seconds))
    starts = _recent(row.starts, rate, _number(now))
    too_many = _count(starts) - rate.max_starts + 1
    for moment, count in starts if too_many > 0 else ():
        too_many -= count
        if too_many <= 0:
            return EPOCH + moment * UNIT + rate.per
    return None


def _number(moment: datetime) -> int:
    return (moment - EPOCH) // UNIT


def _recent(noted: str, rate: Rate, moment: int) -> Starts:
    """Return what counts at a moment. What was noted by a clock that is ahead counts, too."""
    since = moment - rate.per // UNIT
    return [(at, count) for at, count in json.loads(noted) if at > since]


def _count(starts: Starts) -> int:
    return sum(count for _, count in starts)


def _joined(starts: Starts) -> Starts:
    """Return fewer moments, none of which is earlier than it was."""
    starts.sort()
    found: Starts = []
    for moment, count in starts:
        if found and found[-1][0] == moment:
            found[-1] = moment, found[-1][1] + count
        else:
            found.append((moment, count))
    if len(found) <= MAX_STARTS_NOTED:
        return found
    pairs = [found[place : place + 2] for place in range(0, len(found), 2)]
    return [(pair[-1][0], _count(pair)) for pair in pairs]


def _write(connection: Connection, lane: str, starts: Starts) -> None:
    connection.execute(update(lane_rates).where(lane_rates.c.lane == lane).values(starts=json.dumps(starts)))
