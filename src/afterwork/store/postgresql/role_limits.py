"""What is set on a connection while a job has it, and not for what servers do themselves.

A server takes the limits of its role off its own connections, and remembers them there. While a job has a connection
they are put on again, so that a statement of a job which takes too long for its role fails alone. And what a job sets
itself holds until it has ended: neither the next job nor the server meets with it.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from afterwork.store.database import NOT_LONG

LIMITS = ("statement_timeout", "transaction_timeout")
"""Settings of PostgreSQL that a role may have to end what takes long."""

OF_ROLE = "afterwork.limits_of_role"
"""In a connection's `info`: its role's limits, by name, that the server has taken off."""

OWN = "afterwork.own_settings"
"""In a connection's `info`: what is set for its session, by name, while no job has it; and its role."""

CHANGED = "settings_changed"
"""An attribute of a driver's connection: whether somebody has set something there. Its cursors write it."""

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
    """Remember the settings that a connection had before the server gave it its own, and all that are set there now."""
    connection.info.setdefault(OF_ROLE, {name: before[name] for name in LIMITS if before.get(name, "0") != "0"})
    connection.info[OWN] = own


@contextmanager
def unnoticed(connection: Connection) -> Iterator[None]:
    """Let the server itself set something for as long as the block lasts, so that it doesn't count as a job's."""
    driver: Any = connection.connection.dbapi_connection
    before = getattr(driver, CHANGED, False)
    yield
    setattr(driver, CHANGED, before)


class SettingsOfJobs:
    """The settings of a connection while jobs have it: with the limits of its role, from now until `take_off`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.dbapi_connection
        self._limits: Mapping[str, str] = connection.info.get(OF_ROLE, {})
        self._within = bool(self._limits) and _state(connection) == "INTRANS"
        self._begin()

    def begin_again(self) -> None:
        """Let the next job in the transaction find nothing that the last one has set, and have all of its time."""
        if self._are_changed:
            self._put_back()
            self._begin()
        elif "transaction_timeout" in self._limits:
            self._set({"transaction_timeout": "0"})
            self._begin()

    def take_off(self) -> None:
        """Let the server's own settings hold again. A transaction that has failed takes its settings with it."""
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
        self._connection.exec_driver_sql("SET statement_timeout = 0")  # or what follows might take too long for it
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
