"""How servers' own connections to PostgreSQL are made: none waits for ever for a machine that is gone."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

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
