"""Servers: where they run, their presence, and what they serve."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select

from afterwork.insight.running import RunningView
from afterwork.language.syntax.spelling import folded
from afterwork.model.machine.state_scope import base_of
from afterwork.settings import MAX_REPLACED_PER_WORKER
from afterwork.store import tables
from afterwork.store.database import Database
from afterwork.store.routing import Routing
from afterwork.store.server_rows import ServerRow

PresenceState = Literal["alive", "silent", "gone"]
"""The presence of a server: alive; silent, without a recent sign of life, such as a suspended process; or gone.

A server that is gone without having stopped in order is found out and cleared away by another one.
"""


@dataclass(frozen=True)
class ServerView:
    """A server: where it runs, since when, and its last sign of life, which it gives every few minutes.

    `running` are its runs outside of a transaction. It `serves` lanes and sources, and `knows` works by their names,
    without underscores and in lower case. One that is `draining` leaves when its runs have ended.
    """

    id: int
    host: str
    process: int
    started: datetime
    seen: datetime
    presence: PresenceState
    running: Sequence[RunningView]
    serves: Routing
    knows: Sequence[str]
    draining: bool

    def is_able(self, work: str) -> bool:
        return folded(base_of(work)) in self.knows

    def __str__(self) -> str:
        return f"{self.id} (process {self.process} on {self.host})"


def views(
    database: Database, connection: Connection, running: Iterable[RunningView], now: datetime
) -> list[ServerView]:
    """Return all servers that have not stopped in order, by id."""
    rows = connection.execute(select(tables.server).order_by(tables.server.c.id)).all()
    runs = list(running)
    return [_view(database, connection, row, [run for run in runs if run.server == row.id], now) for row in rows]


def living(database: Database, connection: Connection, now: datetime) -> Sequence[str]:
    """Return the servers that are not gone, in words."""
    return [str(server) for server in views(database, connection, (), now) if server.presence != "gone"]


def without_workers(database: Database, connection: Connection, now: datetime) -> Sequence[str]:
    """Return the servers, in words, that have no worker left for external runs: too many go on for too long.

    The settings are those of this program."""
    settings, c = database.settings, tables.lease.c
    workers = (1 + MAX_REPLACED_PER_WORKER) * settings.workers
    for_long = c.taken < database.after(-settings.held_limit)
    query = select(c.server).where(for_long).group_by(c.server).having(func.count() >= workers)
    if not (stuck := set(connection.execute(query).scalars())):
        return []
    servers = views(database, connection, (), now)
    return [str(server) for server in servers if server.id in stuck and server.presence != "gone"]


def _view(
    database: Database, connection: Connection, row: Row[Any], running: Sequence[RunningView], now: datetime
) -> ServerView:
    known = ServerRow(*(row._mapping[field.name] for field in fields(ServerRow)))
    presence: PresenceState = "gone"
    if database.is_alive(connection, known):
        presence = "alive" if now - row.seen < database.settings.safety_poll + database.settings.lease else "silent"
    where, times = (row.host, row.process), (row.started, row.seen)
    serves, knows = Routing.read(row.serves), json.loads(row.knows or "[]")
    return ServerView(row.id, *where, *times, presence, running, serves, knows, row.draining)
