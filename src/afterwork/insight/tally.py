"""A few numbers on all that fails, waits and runs. They cost little, however much there is."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from afterwork.insight import caches, history
from afterwork.insight.gauges import late_timers
from afterwork.insight.overview import HOUR
from afterwork.insight.status import count_stale_caches
from afterwork.store import tables
from afterwork.store.bounded_count import NONE, Count
from afterwork.store.tickets.filter import TicketFilter
from afterwork.store.tickets.walk import TicketWalk


@dataclass(frozen=True)
class Tally:
    """A few numbers on all that fails, waits and runs.

    `failed` counts the runs of all kinds that failed within an hour, `waiting` the tickets that are due, `late` the
    timers that are, `stale` and `failed_values` calculated values, and `running` what runs now.
    """

    failed: int
    waiting: Count
    late: int
    stale: Count
    failed_values: Count
    running: int


def tally(connection: Connection, walk: TicketWalk, now: datetime) -> Tally:
    stale, _ = count_stale_caches(connection, now)
    return Tally(
        failed=sum(minute.failed for minute in history.past(connection, now - HOUR, None).minutes),
        waiting=walk.count(connection, TicketFilter("waiting")),
        late=len(late_timers(connection, now)),
        stale=stale,
        failed_values=sum((values.count for values in caches.failed_values(connection)), NONE),
        running=connection.execute(select(func.count()).select_from(tables.lease)).scalar_one(),
    )
