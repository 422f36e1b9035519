"""Lanes: their runs, their waiting tickets and matches, and whether they are paused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from afterwork.insight.running import RunningView, SuspectView
from afterwork.insight.servers import ServerView
from afterwork.model.inspection import ModelInfo
from afterwork.model.lane import PARALLEL, Rate
from afterwork.store import lane_limits, lane_rate, tables
from afterwork.store.bounded_count import Count
from afterwork.store.database import Database, Holder
from afterwork.store.tickets.columns import aware
from afterwork.store.tickets.filter import TicketFilter
from afterwork.store.tickets.walk import TicketWalk


@dataclass(frozen=True)
class LaneView:
    """A lane: counts of its due and scheduled tickets, and of its waiting `matches` of timers.

    `oldest` is since when the first of these could have run. `running` are its runs outside of a transaction; `held_by`
    is the transaction that runs its tickets now, as far as the database tells (PostgreSQL does). At most `limit` of its
    works run at a time. With a `rate` that is used up, the next one may begin at `free_from`.
    """

    name: str
    paused: bool
    waiting: Count
    scheduled: Count
    matches: Count
    oldest: datetime | None
    running: Sequence[RunningView]
    held_by: Holder | None
    limit: int = 1
    rate: Rate | None = None
    free_from: datetime | None = None

    @property
    def rule(self) -> str:
        """Return how many run at a time, and how many may begin in which period, in words."""
        if not self.is_exclusive:
            return "beside each other"
        limit = "one at a time" if self.limit == 1 else f"{self.limit:,} at a time"
        return limit if self.rate is None else f"{limit}, {self.rate.max_starts:,} in {self.rate.per}"

    @property
    def is_exclusive(self) -> bool:
        """Return whether the lane limits how many of its works run at a time."""
        return self.name != PARALLEL


@dataclass(frozen=True)
class Activity:
    """The current activity: lanes by name, servers by id, runs outside of transactions, oldest first, and suspects."""

    lanes: Sequence[LaneView]
    servers: Sequence[ServerView]
    running: Sequence[RunningView]
    suspects: Sequence[SuspectView] = ()


@dataclass(frozen=True)
class LaneReader:
    """Reads lanes with their tickets and matches."""

    database: Database
    model: ModelInfo
    tickets: TicketWalk
    matches: TicketWalk

    def views(self, connection: Connection, running: Sequence[RunningView]) -> list[LaneView]:
        """Return all lanes by name that are not empty, or that the model, a pause or a limit names."""
        rows = select(tables.lane.c.name, tables.lane.c.paused)
        paused = {row.name: row.paused for row in connection.execute(rows)}
        holders = self.database.lane_holders(connection)
        rules = lane_limits.rules(connection)
        waiting = {lane for walk in (self.tickets, self.matches) for lane in walk.lanes(connection)}
        names = sorted({*paused, *waiting, *self.model.lane_names, *self.model.lanes, *rules})
        views = [self._view(connection, name, paused.get(name, False), holders, running) for name in names]
        return [self._with_rule(connection, lane, *rules[lane.name]) if lane.name in rules else lane for lane in views]

    def _with_rule(self, connection: Connection, lane: LaneView, slots: int | None, rate: Rate | None) -> LaneView:
        free_from = None if rate is None else lane_rate.free_from(connection, lane.name, self.tickets.now)
        return replace(lane, limit=slots or 1, rate=rate, free_from=free_from)

    def _view(
        self,
        connection: Connection,
        name: str,
        paused: bool,
        holders: Mapping[str, Holder],
        running: Iterable[RunningView],
    ) -> LaneView:
        due, later = TicketFilter("waiting", lane=name), TicketFilter("scheduled", lane=name)
        firsts = [row for walk in (self.tickets, self.matches) for row in walk.firsts(connection, due)]
        since = [moment for row in firsts if (moment := aware(row.earliest or row.created)) is not None]
        return LaneView(
            name,
            paused,
            self.tickets.count(connection, due),
            self.tickets.count(connection, later),
            self.matches.count(connection, due),
            min(since, default=None),
            [run for run in running if run.lane == name],
            holders.get(name),
        )
