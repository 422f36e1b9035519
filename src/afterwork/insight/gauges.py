"""The current gauges of an installation, for monitoring.

Their cost does not grow with the number of ended runs: nothing is counted beyond `MAX_COUNTED`, and no more than
`MAX_GROUPS` groups of tickets are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, Select, bindparam, func, select

from afterwork.insight import servers
from afterwork.insight.transactions import OpenTransaction, longest_transaction
from afterwork.model.inspection import ModelInfo
from afterwork.store import tables
from afterwork.store.caches.tables import BLOCKED
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.database import Database
from afterwork.store.journal.change import moment_of
from afterwork.store.journal.tables import journal as entries
from afterwork.store.readable_values import readable_timestamp
from afterwork.store.tickets.columns import TicketColumns, aware, has_begun
from afterwork.store.tickets.filter import TicketFilter
from afterwork.store.tickets.rows import DueGroup
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.tickets.walk import TicketWalk

MAX_COUNTED = 100_000
"""The most rows of each kind that are counted."""

MAX_GROUPS = 200
"""The most groups of tickets, each a lane and a priority, that are read."""

LATE_AFTER_SECONDS = 5.0
"""Seconds after its due time from which on a timer that has not fired is late."""


@dataclass(frozen=True)
class LaneGauge:
    """Tickets of one lane: the number due, the seconds since the first was due, and the number due later."""

    lane: str
    waiting: int
    oldest: float
    later: int


@dataclass(frozen=True)
class Gauges:
    """The current gauges.

    `expired` counts receipts of tickets that came too late to run. `stale` counts caches that are due, the first of
    them for `stale_for` seconds, and those that wait for others. `journal` counts changes that no server has
    matched, the first of them `journal_for` seconds old. `late` has the seconds of each late timer. `longest` is
    None if there is none, or the database does not tell.
    """

    lanes: Sequence[LaneGauge]
    expired: int
    stale: int
    stale_for: float
    journal: int
    journal_for: float
    longest: OpenTransaction | None
    late: Mapping[str, float]
    servers: int


def gauges(database: Database, model: ModelInfo, connection: Connection, now: datetime) -> Gauges:
    stale, stale_for = _stale(connection, now) if model.derivations else (0, 0.0)
    journal, journal_for = waiting_journal(connection, now) if model.derivations else (0, 0.0)
    return Gauges(
        list(_lanes(database, model, connection, now)),
        _expired(database, model, connection, now),
        stale,
        stale_for,
        journal,
        journal_for,
        longest_transaction(connection),
        late_timers(connection, now),
        len(servers.living(database, connection, now)),
    )


def _lanes(database: Database, model: ModelInfo, connection: Connection, now: datetime) -> Sequence[LaneGauge]:
    tickets = tickets_of(model.contract, database.dialect)
    gauges_by_lane: dict[str, LaneGauge] = {}
    for group in tickets.groups(connection)[:MAX_GROUPS]:
        own = _lane(tickets.columns, connection, group, tickets.moment(now), now)
        total = gauges_by_lane.get(own.lane, LaneGauge(own.lane, 0, 0.0, 0))
        gauges_by_lane[own.lane] = LaneGauge(
            own.lane, own.waiting + total.waiting, max(own.oldest, total.oldest), own.later + total.later
        )
    return list(gauges_by_lane.values())


def _expired(database: Database, model: ModelInfo, connection: Connection, now: datetime) -> int:
    walk = TicketWalk(tickets_of(model.contract, database.dialect), now)
    return walk.count(connection, TicketFilter(state="expired")).number


def _lane(c: TicketColumns, connection: Connection, group: DueGroup, bound: datetime, now: datetime) -> LaneGauge:
    own = select(c.moment_read.label("moment")).where(
        c.pending, ~has_begun(c.key), c.lane == group.lane, c.priority == group.priority
    )
    at = bindparam("bound", bound, type_=c.earliest.type)
    waiting, first = connection.execute(_counted(own.where(c.moment <= at).order_by(c.moment))).one()
    later, _ = connection.execute(_counted(own.where(c.moment > at).order_by(c.moment))).one()
    return LaneGauge(group.lane, waiting, _since(first, now), later)


def _counted(rows: Select[Any]) -> Executable:
    """Select the number of rows, up to `MAX_COUNTED`, and their first timestamp."""
    sample = rows.limit(MAX_COUNTED).subquery()
    return select(func.count(), func.min(sample.c.moment).label("first"))


def _stale(connection: Connection, now: datetime) -> tuple[int, float]:
    count, longest = 0, 0.0
    for derivation in connection.execute(select(derivations.c.id)).scalars().all():
        due = dues.c.due
        own = dues.c.derivation == derivation, dues.c.claim.is_(None), ~dues.c.backfill
        rows = select(due.label("moment")).where(*own).order_by(due)
        due_count, first = connection.execute(_counted(rows.where(due <= bindparam("now", now, type_=due.type)))).one()
        blocked, _ = connection.execute(_counted(rows.where(due >= BLOCKED))).one()
        count, longest = count + due_count + blocked, max(longest, _since(first, now))
    return count, longest


def waiting_journal(connection: Connection, now: datetime) -> tuple[int, float]:
    """Return the number of journal entries and the age of the first. Of a long journal, any entries are counted."""
    count, first = connection.execute(_counted(select(entries.c.changed_at.label("moment")))).one()
    return count, _since(None if first is None else moment_of(first), now)


def late_timers(connection: Connection, now: datetime) -> dict[str, float]:
    """Return how many seconds late each timer is that is late."""
    c = tables.timer.c
    rows = connection.execute(
        select(c.name, readable_timestamp(c.due, connection.dialect.name)).where(~c.paused, c.due <= now)
    )
    late = {name: _since(due, now) for name, due in rows}
    return {name: seconds for name, seconds in late.items() if seconds >= LATE_AFTER_SECONDS}


def _since(first: datetime | None, now: datetime) -> float:
    moment = aware(first)
    if moment is None or moment.year <= 1970:  # a ticket with neither a due time nor a creation time
        return 0.0
    return max(0.0, (now - moment).total_seconds())
