"""What can be read of servers."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, select

from afterwork.insight.running import RunningView
from afterwork.language.syntax.spelling import folded
from afterwork.model.machine.state_scope import base_of
from afterwork.store import tables
from afterwork.store.database import Database, ServerRow
from afterwork.store.routing import Routing

Presence = Literal["alive", "silent", "gone"]
"""Whether a server is there: it shows life; it is there, but has not shown life for long, as a stopped process has not;
or it is gone without having stopped, and another server will find that out."""


@dataclass(frozen=True)
class ServerView:
    """A server, where it runs, since when it is there, and when it last showed life (it does so every few minutes).
    `running` is what it runs outside of a transaction. It `serves` lanes and ways to start, and `knows` works by
    their names, without underscores and in lower case. One that is `draining` leaves when its runs have ended."""

    id: int
    host: str
    process: int
    started: datetime
    seen: datetime
    presence: Presence
    running: Sequence[RunningView]
    serves: Routing
    knows: Sequence[str]
    draining: bool

    def is_able(self, work: str) -> bool:
        """Return whether it knows a work."""
        return folded(base_of(work)) in self.knows

    def __str__(self) -> str:
        return f"{self.id} (process {self.process} on {self.host})"


def views(
    database: Database, connection: Connection, running: Iterable[RunningView], now: datetime
) -> list[ServerView]:
    """All servers that have not stopped in order, by number."""
    rows = connection.execute(select(tables.server).order_by(tables.server.c.id)).all()
    runs = list(running)
    return [_view(database, connection, row, [one for one in runs if one.server == row.id], now) for row in rows]


def living(database: Database, connection: Connection, now: datetime) -> Sequence[str]:
    """The servers that are there, in words."""
    return [str(one) for one in views(database, connection, (), now) if one.presence != "gone"]


def _view(
    database: Database, connection: Connection, row: Row[Any], running: Sequence[RunningView], now: datetime
) -> ServerView:
    known = ServerRow(*(row._mapping[field.name] for field in fields(ServerRow)))
    mark = _mark(database, now - row.seen) if database.is_alive(connection, known) else "gone"
    serves, knows = Routing.read(row.serves), json.loads(row.knows or "[]")
    return ServerView(row.id, row.host, row.process, row.started, row.seen, mark, running, serves, knows, row.draining)


def _mark(database: Database, quiet: timedelta) -> Presence:
    """How a server that is there looks which was last seen so long ago."""
    return "alive" if quiet < database.settings.safety_poll + database.settings.lease else "silent"
