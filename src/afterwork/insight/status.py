"""What goes on in a database, in a few numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from afterwork.insight import servers
from afterwork.manifest.tables import due as dues
from afterwork.model.contract import Contract, moment_for
from afterwork.store import tables
from afterwork.store.database import Database
from afterwork.store.ticket_columns import Columns, aware


@dataclass(frozen=True)
class Status:
    """What goes on in a database. `waiting` counts pending tickets by lane; `oldest` is how long the first waits that
    could run by now. `stale` counts caches that are stale, `stale_for` is how long the first has been so."""

    waiting: dict[str, int]
    running: int
    oldest: timedelta | None
    servers: Sequence[str]
    paused: Sequence[str]
    stale: int
    stale_for: timedelta | None


def status(database: Database, connection: Connection, contract: Contract, columns: Columns, now: datetime) -> Status:
    """Counts of what waits and runs, and who is there to run it."""
    lane = columns.lane
    lanes = select(lane, func.count()).where(columns.pending).group_by(lane).order_by(lane)
    waiting = {str(name): int(count) for name, count in connection.execute(lanes)}
    running = connection.execute(select(func.count()).select_from(tables.lease)).scalar_one()
    paused = connection.execute(select(tables.lane.c.name).where(tables.lane.c.paused)).scalars().all()
    oldest = _oldest(database, connection, contract, columns, now)
    stale, stale_for = _stale(connection, now)
    return Status(waiting, running, oldest, servers.living(database, connection, now), paused, stale, stale_for)


def _oldest(
    database: Database, connection: Connection, contract: Contract, columns: Columns, now: datetime
) -> timedelta | None:
    """How long the first ticket waits that could run: since it was due, or was made if it names no moment."""
    earliest = contract.execute_earliest.column
    due = select(func.min(earliest)).where(columns.pending, earliest <= moment_for(earliest, database.dialect, now))
    firsts = [connection.execute(due).scalar()]
    if contract.created is not None:
        at_once = select(func.min(contract.created.column)).where(columns.pending, earliest.is_(None))
        firsts.append(connection.execute(at_once).scalar())
    waited = [span for span in (_since(first, now) for first in firsts) if span is not None]
    return max(waited, default=None)


def _stale(connection: Connection, now: datetime) -> tuple[int, timedelta | None]:
    since = dues.c.since
    found = connection.execute(select(func.count(since), func.min(since).label("first"))).one()
    return found[0], _since(found.first, now)


def _since(first: datetime | None, now: datetime) -> timedelta | None:
    moment = aware(first)
    return None if moment is None else max(timedelta(0), now - moment)
