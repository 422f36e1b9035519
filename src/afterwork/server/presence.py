"""Presence: the row, lock and heartbeat of a server, and the removal of servers that are gone."""

import os
import socket
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, update

from afterwork.boundary import failure_of
from afterwork.clock import Clock
from afterwork.events import Broken, Events, ServerCrashed, TookOver
from afterwork.jobs.quarantine import Quarantine
from afterwork.jobs.runner import Runner
from afterwork.server.blame import blame_server
from afterwork.store import leases, suspects
from afterwork.store.database import Database
from afterwork.store.leases import Lease
from afterwork.store.process import machine, process_start
from afterwork.store.server_rows import ServerRow
from afterwork.store.suspects import Death
from afterwork.store.tables import server as servers
from afterwork.store.upsert import insert_into


@dataclass(frozen=True)
class ServersSeen:
    """The result of one look: the other servers, whether a quarantine is noted, and whether this server was asked to
    leave."""

    others: Sequence[ServerRow]
    any_quarantined: bool
    is_to_leave: bool


@dataclass(frozen=True)
class Presence:
    """This server among all others. `id` is its number in the database."""

    id: int
    database: Database
    clock: Clock
    events: Events
    says: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def enter(
        cls,
        connection: Connection,
        database: Database,
        clock: Clock,
        events: Events,
        says: Mapping[str, str] | None = None,
    ) -> "Presence":
        """Enter a database as a server. `connection` must stay open as long as the server lives. `says` are columns of
        its row: what it knows and serves."""
        says = says or {}
        with database.transaction(connection):
            (number,) = connection.execute(
                servers.insert().values({**_row(database, clock), **says})
            ).inserted_primary_key or (0,)
        presence = cls(int(number), database, clock, events, says)
        presence.announce(connection)
        return presence

    def enter_again(self, connection: Connection) -> None:
        """Continue as the same server on a new connection."""
        row = self._row()
        with self.database.transaction(connection):
            insert = self._insert(row)
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))
        self.announce(connection)

    def announce(self, connection: Connection) -> None:
        """Take the lock that shows that this server lives, if the database has such locks."""
        if self.database.announce(connection, self.id):
            announced = self.database.after(timedelta(0))
            mine = update(servers).where(servers.c.id == self.id)
            connection.execute(mine.values(locked=True, announced=announced))
        connection.commit()

    def show_life(self, connection: Connection) -> None:
        alive = {"seen": self.clock.now(), "beat": self.database.after(timedelta(0))}
        if not connection.execute(update(servers).where(servers.c.id == self.id).values(alive)).rowcount:
            # Others took it for dead while it was suspended, or it is just reentering on another connection.
            connection.execute(self._insert(self._row()).on_conflict_do_nothing(index_elements=["id"]))
        connection.commit()

    def _insert(self, row: Mapping[str, Any]) -> Any:
        return insert_into(self.database.dialect, servers).values(id=self.id, **row)

    def _row(self) -> dict[str, Any]:
        return {**_row(self.database, self.clock), **self.says}

    def stop(self, connection: Connection) -> None:
        """Note that this server stops in order, so that nobody blames its unfinished runs for its end."""
        connection.execute(update(servers).where(servers.c.id == self.id).values(stopping=True))
        connection.commit()

    def leave(self, connection: Connection) -> None:
        """Delete the row of this server. Leases that it leaves may be taken over by anybody."""
        connection.execute(delete(servers).where(servers.c.id == self.id))
        connection.commit()

    def look(self, connection: Connection) -> "ServersSeen":
        """Read, by one statement, all that a server regularly asks about servers."""
        rows, any_quarantined = ServerRow.all_and(connection, suspects.any_quarantined(self.database))
        others = [row for row in rows if row.id != self.id]
        return ServersSeen(others, any_quarantined, any(row.draining for row in rows if row.id == self.id))

    def see(self, connection: Connection, quarantine: Quarantine) -> None:
        """Clear away servers that are gone, and begin quarantine where something died lately."""
        look = self.look(connection)
        if self.crashed(connection, look.others) or look.any_quarantined:
            self.heed(connection, quarantine)

    def crashed(self, connection: Connection, others: Sequence[ServerRow]) -> int:
        """Clear away the rows of servers that are gone. Return the number of those not told to stop."""
        gone = [row for row in others if not self.database.is_alive(connection, row)]
        crashed = [row for row in gone if self._clear(connection, row) and not row.stopping]
        connection.commit()
        for row in crashed:
            self.events.emit(ServerCrashed(row.id, row.host, row.process))
        return len(crashed)

    def _clear(self, connection: Connection, row: ServerRow) -> bool:
        """Clear away the row of a server that is gone. Return False if another server was quicker."""
        if not connection.execute(delete(servers).where(servers.c.id == row.id)).rowcount:
            return False
        if not row.stopping and not self.database.was_lost_with_database(connection, row):
            blame_server(self.database, connection, row.id)
        return True

    def adopt_orphans(
        self,
        connection: Connection,
        mine: Callable[[], Collection[str]],
        limit: int | None = None,
        serves: Callable[[Lease], bool] = lambda lease: True,
    ) -> list[Lease]:
        """Take over at most `limit` leases that nobody works on, beginning with those that died least often. `mine`
        returns the runs that this server works on; `serves` returns whether it serves a lease."""
        abandoned = leases.abandoned(self.database, connection, self.id)
        rows = {row.id: row for row in self._others(connection)} if abandoned else {}
        own_runs = mine()  # read last: a run that this server has begun meanwhile is no orphan
        adopted: list[Lease] = []
        for lease in abandoned:
            if len(adopted) == limit:
                break
            if lease.run in own_runs or not serves(lease) or self._keeps(connection, rows.get(lease.server)):
                continue
            taken = leases.take_over(self.database, connection, lease, self.id)
            if taken is not None:
                if lease.server in rows and not rows[lease.server].stopping:  # taken for dead, and not buried yet
                    suspects.blame(self.database, connection, lease.ticket, Death("process"))
                self.events.emit(TookOver(taken.run, taken.lane, taken.epoch))
                adopted.append(taken)
        connection.commit()
        return adopted

    def heed(self, connection: Connection, quarantine: Quarantine) -> None:
        """Begin quarantine where something died lately."""
        quarantine.heed(suspects.quarantined_scopes(self.database, connection))
        connection.commit()

    def _keeps(self, connection: Connection, row: ServerRow | None) -> bool:
        """Return whether the server of an expired lease is known to live: suspended, or too busy to renew it."""
        return row is not None and self.database.lives(connection, row) is True

    def living(self, connection: Connection) -> list[int]:
        """Return the numbers of the servers that live, this one included."""
        return [self.id, *(row.id for row in self._others(connection))]

    def _others(self, connection: Connection) -> list[ServerRow]:
        return [row for row in ServerRow.all(connection) if row.id != self.id]


def _row(database: Database, clock: Clock) -> dict[str, Any]:
    process, now = os.getpid(), clock.now()
    return {
        "host": socket.gethostname(),
        "machine": machine(),
        "process": process,
        "process_started": process_start(process),
        "started": now,
        "seen": now,
        "beat": database.after(timedelta(0)),
        "locked": False,
        "announced": None,
        "stopping": False,
    }


BEATS_PER_LEASE = 4


class Heartbeat:
    """A thread that renews the leases of current runs, and writes now and then that the server lives."""

    def __init__(self, runner: Runner, presence: Presence, own_runs: Callable[[], Collection[str]]) -> None:
        self._runner = runner
        self._presence = presence
        self._own_runs = own_runs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="afterwork-heartbeat", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End the thread, and wait for it at most this long."""
        self._stop.set()
        self._thread.join(seconds)

    def _beat(self) -> None:
        settings, database = self._runner.settings, self._runner.database
        interval = settings.lease / BEATS_PER_LEASE
        quiet = interval * 0  # it has just written its row, and on SQLite each write wakes all servers
        connection: Connection | None = None
        while not self._stop.wait(interval.total_seconds()):
            quiet += interval
            own_runs = self._own_runs()
            if not own_runs and quiet < settings.safety_poll:
                continue
            try:
                connection = connection or database.connect()
                if own_runs:
                    with database.transaction(connection):
                        leases.renew(database, connection, self._presence.id, own_runs)
                if quiet >= settings.safety_poll:
                    self._presence.show_life(connection)
                    quiet = interval * 0
            except BaseException as error:
                # The loop reports a lost database; here, the next beat tries again.
                if not database.is_its_own(error):
                    self._runner.events.emit(Broken("the heartbeat", failure_of(error)))
                database.discard(connection)
                connection = None
        database.discard(connection)
