"""Waking servers on PostgreSQL.

A sleeping server holds an advisory lock, which the triggers on the ticket table and on every tracked table try to
share. If they can, no server sleeps: nothing is sent, and the shared lock keeps servers from falling asleep before the
transaction ends. If they can't, they notify. So no ticket and no change is lost between the last look and the sleep,
and no server that is awake is notified.
"""

import time

from psycopg import Notify
from sqlalchemy import Connection, TextClause, func, select

from afterwork.settings import Settings
from afterwork.store.postgresql import wake_trigger
from afterwork.store.waker import WaitEnd, WakePipe, Waker, empty, wait_for

PROBE = "probe"
"""The payload of a notification that only tests whether it is heard."""

FIRST_TRY_SECONDS = 0.002
"""The first pause before a server tries again to fall asleep while tickets are being written."""

SECOND_SLEEPER_FACTOR = 5
"""A server that sleeps while another one will be woken looks this many times less often than in standby."""


class NotifyWaker(Waker):
    """Listens on a channel of PostgreSQL. A lock shows writers whether anybody needs to be notified.

    Without `channel`, it is that of the installation's servers."""

    def __init__(self, connection: Connection, settings: Settings, channel: str | None = None) -> None:
        super().__init__(settings)
        self._connection = connection
        self._pg = connection.connection.dbapi_connection.pgconn  # type: ignore[union-attr]
        self._pipe = WakePipe()
        self._retry = FIRST_TRY_SECONDS
        self._armed = False
        self._pending = False
        self._channel = channel or wake_trigger.channel(connection)
        connection.connection.dbapi_connection.add_notify_handler(self._noticed)  # type: ignore[union-attr]
        connection.exec_driver_sql(f"LISTEN {self._channel}")
        connection.commit()

    def arm(self) -> float:
        if not self._armed:
            self._armed = bool(self._execute(wake_trigger.FALL_ASLEEP))
        if self._armed:
            self._retry = FIRST_TRY_SECONDS
            return super().arm()
        if self._execute(wake_trigger.SOMEBODY_SLEEPS):
            return SECOND_SLEEPER_FACTOR * self._settings.standby_poll.total_seconds()
        self._retry = min(self._retry * 2, self._settings.standby_poll.total_seconds())
        return self._retry

    def disarm(self) -> None:
        if self._armed:
            self._execute(wake_trigger.BE_AWAKE)
            self._armed = False

    def wait(self, seconds: float) -> WaitEnd:
        until = time.monotonic() + seconds
        ended: WaitEnd = "time"
        while not self._pending:
            database = self._pg.socket
            readable = wait_for(until - time.monotonic(), database, self._pipe.reader)
            if database in readable:
                self._take_notifications()
            if self._pipe.reader in readable:
                empty(self._pipe.reader)
                ended = "wake"
                break
            if not readable:
                break
        noticed, self._pending = self._pending, False
        return "new work" if noticed else ended

    def _take_notifications(self) -> None:
        self._pg.consume_input()
        while (notification := self._pg.notifies()) is not None:
            self._hear(notification.extra == PROBE.encode())

    def wake(self) -> None:
        self._retry = FIRST_TRY_SECONDS  # something was done, so more may come soon
        self._pipe.wake()

    def close(self) -> None:
        self._pipe.close()

    def nudge(self, connection: Connection) -> None:
        connection.execute(select(func.pg_notify(self._channel, PROBE)))
        connection.commit()

    def _execute(self, statement: TextClause) -> object:
        result: object = self._connection.execute(statement).scalar()
        self._connection.commit()
        return result

    def _noticed(self, notify: Notify) -> None:
        self._hear(notify.payload == PROBE)

    def _hear(self, is_probe: bool) -> None:
        self.ear.hear()
        self._pending |= not is_probe
