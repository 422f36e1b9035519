"""The server's own connection, on which it announces itself, looks for work, and sleeps."""

import uuid
from datetime import datetime

from sqlalchemy import Connection

from afterwork.errors import AnotherDatabase
from afterwork.events import Broken, CantBeWoken
from afterwork.jobs.runner import Runner
from afterwork.server.presence import Presence
from afterwork.store import schema
from afterwork.store.waker import Waker


class ServerConnection:
    """The connection of the loop. After a loss of the database, it is reopened under the same server number."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._connection: Connection | None = None
        self._waker: Waker | None = None
        self._presence: Presence | None = None
        self._opened_at: datetime | None = None
        self._identity: tuple[uuid.UUID, str] | None = None
        self.crashed_before_opening = False
        """True if a crash of the database ended the connection before this one."""

    @property
    def connection(self) -> Connection:
        assert self._connection is not None, "open() comes first"
        return self._connection

    @property
    def waker(self) -> Waker:
        assert self._waker is not None, "open() comes first"
        return self._waker

    @property
    def presence(self) -> Presence:
        assert self._presence is not None, "open() comes first"
        return self._presence

    def open(self) -> None:
        """Connect and enter. Raises `NotInstalled` or `WrongSchema` if the database is not as it must be."""
        runner = self._runner
        connection = runner.database.connect()
        try:
            before, opened_at = self._opened_at, runner.database.now(connection)
            self._check_same(connection, schema.check_installed(runner.database, connection))
            connection.commit()
            if self._presence is None:
                self._presence = Presence.enter(connection, runner.database, runner.clock, runner.events, runner.says)
                if runner.database.notifying_would_fail(connection):
                    runner.events.emit(CantBeWoken(self._presence.id, runner.settings.standby_poll))
            else:
                self._presence.enter_again(connection)
            runner.limits.declare(runner.database, connection)
            self._waker = runner.database.waker(connection)
            runner.database.be_brief(connection)
            self.crashed_before_opening = before is not None and runner.database.has_crashed(connection, before)
            connection.commit()
        except BaseException:
            runner.database.discard(connection)
            raise
        self._connection, self._opened_at = connection, opened_at

    def _check_same(self, connection: Connection, installation: uuid.UUID) -> None:
        """Raise `AnotherDatabase` if this is not the database to which the first connection was."""
        identity = installation, self._runner.database.identity(connection)
        if self._identity is not None and self._identity != identity:
            raise AnotherDatabase(f"{self._runner.database} was dropped and made again")
        self._identity = identity

    def wake(self) -> None:
        """Wake the loop, from any thread."""
        waker = self._waker
        if waker is not None:
            waker.wake()

    def wakes(self, connection: Connection, seconds: float) -> bool:
        """Probe whether a wake-up sent on another connection reaches this server within these seconds."""
        waker = self._waker
        if waker is None:
            return False  # the server is reconnecting
        before = waker.ear.count
        waker.nudge(connection)
        return waker.ear.hears_more(before, seconds)

    def answers(self) -> bool:
        return self._connection is not None and self._runner.database.answers(self._connection)

    def was_told_of_crash(self) -> bool:
        """Return whether the connection was ended because the database crashed."""
        return self._connection is not None and self._runner.database.was_told_of_crash(self._connection)

    def stop(self) -> None:
        """Note that this server stops in order, unless that would wait for a run that writes."""
        database = self._runner.database
        if database.shares_one_connection:
            return
        beside: Connection | None = None
        try:
            beside = database.connect_beside()
            self.presence.stop(beside)
        except Exception as error:
            if not database.is_its_own(error):
                self._runner.events.emit(Broken("telling that it stops", error))
        finally:
            database.discard(beside)

    def rest(self) -> None:
        """Let nobody wake this server any more. Its connection stays, and shows that it lives."""
        try:
            self.waker.disarm()
        except Exception:
            self.close()  # the database is lost, and the connection with it

    def close(self) -> None:
        """Disconnect, whatever state the connection is in."""
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.close()
        self._runner.database.discard(self._connection)
        self._connection = None

    def leave(self) -> None:
        """Delete the row of this server, and disconnect."""
        try:
            if self._connection is not None:
                self.presence.leave(self._connection)
        except Exception as error:
            # The next server clears away a row that stays behind; nothing more can be done here.
            if not self._runner.database.is_lost(error):
                self._runner.events.emit(Broken("leaving the database", error))
        finally:
            self.close()
