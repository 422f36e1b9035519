"""How servers' own connections to PostgreSQL are made: none waits for ever for a machine that is gone, nor for one that
will not let it in."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from psycopg import OperationalError
from psycopg.conninfo import make_conninfo
from psycopg.errors import ConnectionTimeout
from psycopg.pq import PGconn, Ping
from sqlalchemy import Dialect, Engine, event

PATIENCE: Mapping[str, int] = {
    "connect_timeout": 10,
    # Without these, a system finds out after hours that nobody is there any more; with them, in a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""What libpq is told, as far as the application says nothing of it: seconds, a count, and milliseconds."""

PASSES = ("too many", "connection slots", "starting up", "shutting down", "recovery", "server login", "server_login")
"""Parts of refusals that pass all the same: there is no room, or a pooler can't reach PostgreSQL itself."""

ASKED_WITHIN = 2
"""Seconds in which PostgreSQL must say whether it takes connections."""

_own: ContextVar[bool] = ContextVar("afterwork_connecting", default=False)


def bound(engine: Engine) -> None:
    """Bound how long the connections of an engine wait that are made within `own_connection`."""
    if not event.contains(engine, "do_connect", _connect):
        event.listen(engine, "do_connect", _connect)


@contextmanager
def own_connection() -> Iterator[None]:
    """Whoever connects within the block does so for a server."""
    token = _own.set(True)
    try:
        yield
    finally:
        _own.reset(token)


def _connect(dialect: Dialect, record: object, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    if not _own.get():
        return None  # it is the application's
    told = {name: value for name, value in PATIENCE.items() if name != "connect_timeout" or not _is_in_environment()}
    return dialect.connect(*arguments, **{**told, **named})


def _is_in_environment() -> bool:
    return "PGCONNECT_TIMEOUT" in os.environ


def answers_with_refusal(error: BaseException) -> bool:
    """Return whether a connection failed though PostgreSQL takes connections. The driver gives no code for the reason,
    and its text is in the language of the database, so PostgreSQL is asked."""
    told = getattr(error, "orig", error)
    if not isinstance(told, OperationalError) or told.pgconn is None or isinstance(told, ConnectionTimeout):
        return False  # nobody has answered
    if any(part in str(told) for part in PASSES):
        return False
    used = {one.keyword.decode(): one.val.decode() for one in told.pgconn.info if one.val is not None}
    asked = make_conninfo(**{**used, "connect_timeout": str(ASKED_WITHIN)})
    return PGconn.ping(asked.encode()) == Ping.OK
