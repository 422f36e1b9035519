"""The rows of servers: their signs of life, the jobs and lanes that each has declared, and requests to leave."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, update

from afterwork.events import SourceKind
from afterwork.language.syntax.spelling import folded
from afterwork.store.routing import Routing
from afterwork.store.tables import server as servers


@dataclass(frozen=True)
class ServerRow:
    """The row of a server, as far as it shows whether that lives."""

    id: int
    host: str
    process: int
    process_started: float
    seen: datetime
    locked: bool
    announced: datetime | None
    beat: datetime | None
    machine: str | None
    stopping: bool
    draining: bool

    @classmethod
    def all(cls, connection: Connection) -> "list[ServerRow]":
        """Return the servers that did not stop in order, sorted by number."""
        return [cls(*row) for row in connection.execute(cls._all())]

    @classmethod
    def all_and(cls, connection: Connection, condition: ColumnElement[bool]) -> "tuple[list[ServerRow], bool]":
        """Return the same, and whether a condition of the whole database holds, by one statement."""
        rows = connection.execute(cls._all().add_columns(condition.label("holds"))).all()
        return [cls(*row[:-1]) for row in rows], any(row.holds for row in rows)

    @classmethod
    def _all(cls) -> Select[Any]:
        return select(*(servers.c[attribute.name] for attribute in fields(cls))).order_by(servers.c.id)


def said(works: Iterable[str], routing: Routing) -> Mapping[str, str]:
    """Return the row values that declare a server's known jobs and its routing."""
    return {"knows": json.dumps(sorted({folded(name) for name in works})), "serves": routing.to_json()}


def somebody_runs(connection: Connection, work: str, lane: str | None, kind: SourceKind) -> bool:
    """Return whether a live server knows a job and serves its lane (any lane, if None)."""
    c = servers.c
    knows = c.knows.contains(json.dumps(folded(work)), autoescape=True)
    rows = connection.execute(select(c.serves).where(knows, ~c.draining)).scalars()
    return any(lane is None or Routing.read(row).serves(lane, kind) for row in rows)


def drain(connection: Connection, server: int) -> bool:
    """Ask a server to finish its runs and to leave. Return False without a server of this number."""
    asked = update(servers).where(servers.c.id == server).values(draining=True)
    return bool(connection.execute(asked).rowcount)
