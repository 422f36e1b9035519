"""Settings of a connection while a job has it, which don't apply to the server itself.

A server removes its role's limits from its own connections, and remembers them there. While a job has a connection they
apply again, so that a job's statement that takes too long for its role fails alone. Settings made by a job last until
it has ended: neither the next job nor the server is affected.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from afterwork.store.database import NOT_LONG

LIMITS = ("statement_timeout", "transaction_timeout")
"""The PostgreSQL settings by which a role may end what takes long."""

OF_ROLE = "afterwork.limits_of_role"
"""A key of a connection's `info`: its role's limits, by name, that the server has removed."""

OWN = "afterwork.own_settings"
"""A key of a connection's `info`: its session's settings, by name, while no job has it; and its role."""

CHANGED = "settings_changed"
"""An attribute of a driver's connection, written by its cursors: whether somebody has changed a setting."""

_ROLE_AGAIN = text("SELECT set_config('role', :role, false) WHERE current_setting('role') <> :role")

_AGAIN = text(
    "SELECT set_config(now.name, coalesce(own.value, now.reset_val), false) FROM pg_settings AS now"
    " LEFT JOIN json_each_text(CAST(:own AS json)) AS own (name, value) ON own.name = now.name"
    " WHERE (now.source = 'session' OR own.name IS NOT NULL)"
    " AND now.setting IS DISTINCT FROM coalesce(own.value, now.reset_val)"
    # These belong to one transaction, and can't be changed in the middle of it.
    " AND now.name NOT IN ('transaction_read_only', 'transaction_isolation', 'transaction_deferrable')"
)

_SET = text("SELECT set_config(name, value, :local) FROM json_each_text(CAST(:limits AS json)) AS limits (name, value)")


def remember(connection: Connection, before: Mapping[str, str], own: Mapping[str, str]) -> None:
    """Remember a connection's settings from before the server's own, and all of its current ones."""
    connection.info.setdefault(OF_ROLE, {name: before[name] for name in LIMITS if before.get(name, "0") != "0"})
    connection.info[OWN] = own


@contextmanager
def unnoticed(connection: Connection) -> Iterator[None]:
    """Let the server change settings within the block, without counting them as a job's."""
    driver: Any = connection.connection.dbapi_connection
    before = getattr(driver, CHANGED, False)
    yield
    setattr(driver, CHANGED, before)


class SettingsOfJobs:
    """A connection's settings while jobs have it, with its role's limits, until `take_off`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.dbapi_connection
        self._limits: Mapping[str, str] = connection.info.get(OF_ROLE, {})
        self._within = bool(self._limits) and _state(connection) == "INTRANS"
        self._begin()

    def begin_again(self) -> None:
        """Reset the last job's settings for the next job in the transaction, and give it its full time."""
        if self._are_changed:
            self._put_back()
            self._begin()
        elif "transaction_timeout" in self._limits:
            self._set({"transaction_timeout": "0"})
            self._begin()

    def take_off(self) -> None:
        """Restore the server's own settings. A failed transaction takes its settings with it."""
        if self._connection.closed or self._connection.invalidated:
            return
        if self._are_changed:
            self._put_back()
        elif self._limits:
            state = _state(self._connection)
            if state == "INTRANS" or (state == "IDLE" and not self._within):
                self._set(dict.fromkeys(self._limits, "0"))

    @property
    def _are_changed(self) -> bool:
        return getattr(self._driver, CHANGED, False) and OWN in self._connection.info

    def _begin(self) -> None:
        self._set(self._limits)
        if getattr(self._driver, CHANGED, False):
            setattr(self._driver, CHANGED, False)

    def _put_back(self) -> None:
        if _state(self._connection) not in ("INTRANS", "IDLE"):
            return
        own = self._connection.info[OWN]
        self._connection.exec_driver_sql("SET statement_timeout = 0")  # or the following might exceed it
        self._connection.execute(_ROLE_AGAIN, {"role": own["role"]})
        self._connection.execute(_AGAIN, {"own": json.dumps(own)})
        if _state(self._connection) == "INTRANS":
            self._connection.exec_driver_sql(NOT_LONG)
        setattr(self._driver, CHANGED, False)

    def _set(self, limits: Mapping[str, str]) -> None:
        if limits:
            self._connection.execute(_SET, {"local": self._within, "limits": json.dumps(dict(limits))})


def _state(connection: Connection) -> str:
    driver: Any = connection.connection.dbapi_connection
    return str(driver.info.transaction_status.name)
