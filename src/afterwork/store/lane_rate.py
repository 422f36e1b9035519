"""The rate of a lane: when its last runs began, over all servers.

No period of the rate's length, wherever it starts, has more starts than the rate allows. Each is noted before its run
begins, in its own transaction, so that runs that fail or die count. One that did not happen after all is taken back.
"""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select, update

from afterwork.clock import Clock
from afterwork.model.lane import Rate
from afterwork.store.database import Database
from afterwork.store.tables import lane_rate as lane_rates

MAX_STARTS_NOTED = 1000
"""The maximum number of separate start times. At higher rates, starts close together count as the last of them."""

EPOCH, UNIT = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)

CountedStarts = list[tuple[int, int]]
"""Timestamps, in microseconds, with the number of runs that began then; the oldest first."""


def take(database: Database, connection: Connection, lane: str, clock: Clock) -> bool:
    """Note that a run of a lane begins. Return False if too many have begun lately."""
    with database.transaction(connection):
        row = connection.execute(select(lane_rates).where(lane_rates.c.lane == lane).with_for_update()).one_or_none()
        if row is None:
            return True  # its rate was removed
        # Only now, since others may have had the row for a while: a start must not seem to be earlier than it is.
        rate, timestamp = Rate(row.max_starts, timedelta(seconds=row.per_seconds)), _number(clock.now())
        starts = _recent(row.starts, rate, timestamp)
        if _count(starts) >= rate.max_starts:
            return False
        _write(connection, lane, _joined([*starts, (timestamp, 1)]))
    return True


def give_back(database: Database, connection: Connection, lane: str, now: datetime) -> None:
    """Take back a noted start of a run that did not happen."""
    with database.transaction(connection):
        row = connection.execute(select(lane_rates).where(lane_rates.c.lane == lane).with_for_update()).one_or_none()
        starts: CountedStarts = (
            [] if row is None else [(timestamp, count) for timestamp, count in json.loads(row.starts)]
        )
        for index in range(len(starts) - 1, -1, -1):
            timestamp, count = starts[index]
            if timestamp <= _number(now):
                starts[index : index + 1] = [(timestamp, count - 1)] if count > 1 else []
                _write(connection, lane, starts)
                return


def free_from(connection: Connection, lane: str, now: datetime) -> datetime | None:
    """Return the future timestamp from which the next run of a lane may begin, if it must wait."""
    row = connection.execute(select(lane_rates).where(lane_rates.c.lane == lane)).one_or_none()
    if row is None:
        return None
    rate = Rate(row.max_starts, timedelta(seconds=row.per_seconds))
    starts = _recent(row.starts, rate, _number(now))
    too_many = _count(starts) - rate.max_starts + 1
    for timestamp, count in starts if too_many > 0 else ():
        too_many -= count
        if too_many <= 0:
            return EPOCH + timestamp * UNIT + rate.per
    return None


def _number(timestamp: datetime) -> int:
    return (timestamp - EPOCH) // UNIT


def _recent(noted: str, rate: Rate, timestamp: int) -> CountedStarts:
    """Return the starts that count at a timestamp, including those noted by a clock that is ahead."""
    since = timestamp - rate.per // UNIT
    return [(at, count) for at, count in json.loads(noted) if at > since]


def _count(starts: CountedStarts) -> int:
    return sum(count for _, count in starts)


def _joined(starts: CountedStarts) -> CountedStarts:
    """Merge start times until few enough are left, none of them earlier than it was."""
    starts.sort()
    merged: CountedStarts = []
    for timestamp, count in starts:
        if merged and merged[-1][0] == timestamp:
            merged[-1] = timestamp, merged[-1][1] + count
        else:
            merged.append((timestamp, count))
    if len(merged) <= MAX_STARTS_NOTED:
        return merged
    pairs = [merged[index : index + 2] for index in range(0, len(merged), 2)]
    return [(pair[-1][0], _count(pair)) for pair in pairs]


def _write(connection: Connection, lane: str, starts: CountedStarts) -> None:
    connection.execute(update(lane_rates).where(lane_rates.c.lane == lane).values(starts=json.dumps(starts)))
