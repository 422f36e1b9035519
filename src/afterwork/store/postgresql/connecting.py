"""Connections of servers to PostgreSQL, which never wait forever for a lost machine or one that refuses them.

PostgreSQL refuses a prepared statement whose result a migration has changed ("cached plan must not change result
type"), and only a fresh one helps. A rollback makes the driver forget all prepared statements. Outside of a
transaction, the statement is sent once more.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

from psycopg import Connection, Cursor, OperationalError
from psycopg.conninfo import make_conninfo
from psycopg.errors import ConnectionTimeout, FeatureNotSupported
from psycopg.pq import PGconn, Ping, TransactionStatus
from sqlalchemy import Dialect, Engine, event

from afterwork.store.postgresql.role_limits import CHANGED

PATIENCE: Mapping[str, int] = {
    "connect_timeout": 10,
    # Without these, a system notices after hours that its peer is gone; with them, in a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""The defaults for libpq where the application sets nothing: seconds, a count, and milliseconds."""

PASSES = ("too many", "connection slots", "starting up", "shutting down", "recovery", "server login", "server_login")
"""Parts of temporary refusals: no room is left, or a pooler can't reach PostgreSQL itself."""

ASKED_WITHIN = 2
"""The seconds within which PostgreSQL must say whether it takes connections."""

_own: ContextVar[bool] = ContextVar("afterwork_connecting", default=False)


def bound(engine: Engine) -> None:
    """Bound the waits of an engine's connections that are made within `own_connection`."""
    if not event.contains(engine, "do_connect", _connect):
        event.listen(engine, "do_connect", _connect)


@contextmanager
def own_connection() -> Iterator[None]:
    """Mark connections made within the block as a server's."""
    token = _own.set(True)
    try:
        yield
    finally:
        _own.reset(token)


def _connect(dialect: Dialect, record: object, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    if not _own.get():
        return None  # the application connects
    own = {"connect_timeout"} if "PGCONNECT_TIMEOUT" in os.environ else set()
    options = {name: value for name, value in PATIENCE.items() if name not in own}
    return dialect.connect(*arguments, **{**options, **named})


def answers_with_refusal(error: BaseException) -> bool:
    """Return whether a connection failed although PostgreSQL takes connections. The driver gives no code for the
    reason, and its text is in the database's language, so PostgreSQL is asked."""
    cause = getattr(error, "orig", error)
    if not isinstance(cause, OperationalError) or cause.pgconn is None or isinstance(cause, ConnectionTimeout):
        return False  # nobody answered
    if any(part in str(cause) for part in PASSES):
        return False
    used = {option.keyword.decode(): option.val.decode() for option in cause.pgconn.info if option.val is not None}
    conninfo = make_conninfo(**{**used, "connect_timeout": str(ASKED_WITHIN)})
    return PGconn.ping(conninfo.encode()) == Ping.OK


REFUSES = "RevalidateCachedQuery"
"""The function of PostgreSQL that refuses; unlike its message, its name is the same in all languages."""


def is_outdated(error: BaseException | None) -> bool:
    """Return whether the driver's error says that a migration outdated a prepared statement."""
    return isinstance(error, FeatureNotSupported) and error.diag.source_function == REFUSES


def mend(connection: Connection[Any]) -> None:
    """Make a server's own connection resend statements that a migration outdated, and note changed settings."""
    if connection.cursor_factory is Cursor:
        connection.cursor_factory = OwnCursor


SETS = ("SET", "RESET", "DISCARD ALL")
"""PostgreSQL's responses to statements that change settings."""


class OwnCursor(Cursor[Any]):
    """The cursor of a server's own connection. `as_sent` returns a statement as the driver takes it."""

    as_sent: Callable[[Any], Any] = staticmethod(lambda query: query)

    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None, **options: Any) -> Self:
        sent = self.as_sent(query)
        try:
            super().execute(sent, params, prepare=prepare, **options)
        except FeatureNotSupported as error:
            if not is_outdated(error) or self.connection.info.transaction_status != TransactionStatus.IDLE:
                raise
            super().execute("DEALLOCATE ALL")
            super().execute(sent, params, prepare=prepare, **options)
        if self.statusmessage in SETS or (isinstance(query, str) and "set_config" in query):
            setattr(self.connection, CHANGED, True)
        return self
