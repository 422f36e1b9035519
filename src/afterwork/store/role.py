"""Limits of the role that servers connect with. They hold for the code of jobs, and not for what servers do themselves.

A server takes them off its own connections, and remembers them there. While a job has a connection they are put on
again, so that a statement of a job which takes too long for its role fails alone.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

LIMITS = ("statement_timeout", "transaction_timeout")
"""Settings of PostgreSQL that a role may have to end what takes long."""

OF_ROLE = "afterwork.limits_of_role"
"""In a connection's `info`: its role's limits, by name, that the server has taken off."""

_SET = text("SELECT set_config(name, value, :local) FROM json_each_text(CAST(:limits AS json)) AS limits (name, value)")


def remember(connection: Connection, before: Mapping[str, str]) -> None:
    """Remember the settings that a connection had before the server gave it its own."""
    connection.info[OF_ROLE] = {name: before[name] for name in LIMITS if before.get(name, "0") != "0"}


class LimitsOfRole:
    """The limits of a connection's role, on from now until `take_off`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._limits: Mapping[str, str] = connection.info.get(OF_ROLE, {})
        self._within = bool(self._limits) and _state(connection) == "INTRANS"
        self._set(self._limits)

    def begin_again(self) -> None:
        """Let the time of the transaction count from now on, for the next job in it."""
        if "transaction_timeout" in self._limits:
            self._set({"transaction_timeout": "0"})
            self._set({"transaction_timeout": self._limits["transaction_timeout"]})

    def take_off(self) -> None:
        """Let the server's own settings hold again. A transaction that has failed takes its settings with it."""
        if self._limits and not self._connection.closed and not self._connection.invalidated:
            state = _state(self._connection)
            if state == "INTRANS" or (state == "IDLE" and not self._within):
                self._set(dict.fromkeys(self._limits, "0"))

    def _set(self, limits: Mapping[str, str]) -> None:
        if limits:
            self._connection.execute(_SET, {"local": self._within, "limits": json.dumps(dict(limits))})


def _state(connection: Connection) -> str:
    driver: Any = connection.connection.dbapi_connection
    return str(driver.info.transaction_status.name)
