"""That a server is there: its row, its lock, its sign of life; and what becomes of a server that is not."""

import os
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from afterwork.clock import Clock
from afterwork.events import Events, ServerCrashed, TookOver
from afterwork.store import leases
from afterwork.store.database import Database, ServerRow
from afterwork.store.leases import Lease
from afterwork.store.process import process_start
from afterwork.store.tables import server as servers


@dataclass(frozen=True)
class Presence:
    """This server among all. `id` is its number in the database."""

    id: int
    database: Database
    clock: Clock
    events: Events

    @classmethod
    def enter(cls, connection: Connection, database: Database, clock: Clock, events: Events) -> "Presence":
        """Become one of the servers of a database. `connection` must stay open as long as the server is there."""
        with database.transaction(connection):
            (number,) = connection.execute(servers.insert().values(_row(clock))).inserted_primary_key or (0,)
        presence = cls(int(number), database, clock, events)
        presence.announce(connection)
        return presence

    def enter_again(self, connection: Connection) -> None:
        """Go on as the same server, on a new connection."""
        row = _row(self.clock)
        with self.database.transaction(connection):
            insert = self._insert(row)
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))
        self.announce(connection)

    def announce(self, connection: Connection) -> None:
        """Take the lock that shows that this server lives, where the database has such locks."""
        if self.database.announce(connection, self.id):
            connection.execute(update(servers).where(servers.c.id == self.id).values(locked=True))
        connection.commit()

    def show_life(self, connection: Connection) -> None:
        """Write that this server was here just now."""
        c = servers.c
        if not connection.execute(update(servers).where(c.id == self.id).values(seen=self.clock.now())).rowcount:
            # Others took it for dead while it was stopped; or it just enters again, on another connection.
            connection.execute(self._insert(_row(self.clock)).on_conflict_do_nothing(index_elements=["id"]))
        connection.commit()

    def _insert(self, row: Mapping[str, Any]) -> Any:
        kind: Any = postgresql if self.database.dialect == "postgresql" else sqlite
        return kind.insert(servers).values(id=self.id, **row)

    def leave(self, connection: Connection) -> None:
        """Be gone. Leases that are left are anybody's."""
        connection.execute(delete(servers).where(servers.c.id == self.id))
        connection.commit()

    def crashed(self, connection: Connection) -> int:
        """Clear away the rows of servers that are gone without having stopped. Returns how many there were."""
        gone = [
            row for row in self._others(connection) if not self.database.is_alive(connection, row, self.clock.now())
        ]
        for row in gone:
            if connection.execute(delete(servers).where(servers.c.id == row.id)).rowcount:
                self.events.emit(ServerCrashed(row.id, row.host, row.process))
        connection.commit()
        return len(gone)

    def adopt_orphans(self, connection: Connection, mine: Callable[[], Collection[str]]) -> list[Lease]:
        """Take over the leases that nobody works on. `mine` gives the runs that this server is working on."""
        now = self.clock.now()
        found = leases.abandoned(connection, self.id, self.living(connection), now)
        held = mine()  # after that: what this server has begun meanwhile is no orphan
        adopted = []
        for lease in (one for one in found if one.run not in held):
            taken = leases.take_over(connection, lease, self.id, now + self.database.settings.lease)
            if taken is not None:
                self.events.emit(TookOver(taken.run, taken.lane, taken.epoch))
                adopted.append(taken)
        connection.commit()
        return adopted

    def living(self, connection: Connection) -> list[int]:
        """The servers that are there, this one included."""
        return [self.id, *(row.id for row in self._others(connection))]

    def _others(self, connection: Connection) -> list[ServerRow]:
        c = servers.c
        rows = select(c.id, c.host, c.process, c.process_started, c.seen, c.locked).where(c.id != self.id)
        return [ServerRow(*row) for row in connection.execute(rows)]


def _row(clock: Clock) -> dict[str, Any]:
    process, now = os.getpid(), clock.now()
    return {
        "host": socket.gethostname(),
        "process": process,
        "process_started": process_start(process),
        "started": now,
        "seen": now,
        "locked": False,
    }
