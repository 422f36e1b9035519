"""The log of actions that run once per database."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from afterwork.store.tables import lease as leases
from afterwork.store.tables import once
from afterwork.store.texts import storable_or_none

KEY = "afterwork-once-"
"""The prefix of a lease's ticket for an action that runs once."""


@dataclass(frozen=True)
class OnceRow:
    """An action that has begun. `leased` says that a server holds its lease."""

    name: str
    began: datetime
    ended: datetime | None
    seconds: float | None
    result: str | None
    error: str | None
    leased: bool

    @property
    def is_lost(self) -> bool:
        """Return whether the action has begun and its server is gone."""
        return self.ended is None and not self.leased


@dataclass(frozen=True)
class Ending:
    """The end of an action: its result as text, or the reason why it failed."""

    ended: datetime
    seconds: float
    result: str | None = None
    error: str | None = None


def rows(connection: Connection) -> dict[str, OnceRow]:
    """Return all actions that have begun, by name."""
    c = once.c
    leased = select(leases.c.run).where(leases.c.ticket == KEY + c.name).exists()
    begun_actions = select(c.name, c.began, c.ended, c.seconds, c.result, c.error, leased.label("leased"))
    return {row.name: OnceRow(*row) for row in connection.execute(begun_actions)}


def begin(connection: Connection, name: str, now: datetime) -> None:
    """Note that an action begins. Raises `IntegrityError` if it has begun before: its name is the key."""
    connection.execute(insert(once).values(name=name, began=now))


def end(connection: Connection, name: str, ending: Ending) -> None:
    texts = {field: storable_or_none(connection, getattr(ending, field)) for field in ("result", "error")}
    own = update(once).where(once.c.name == name, once.c.ended.is_(None))
    connection.execute(own.values(vars(ending) | texts))


def forget_failed(connection: Connection, name: str) -> bool:
    """Let a failed action run again. Return False if it has not failed."""
    failed = delete(once).where(once.c.name == name, once.c.error.is_not(None))
    return bool(connection.execute(failed).rowcount)


def failed(connection: Connection, names: Collection[str]) -> list[str]:
    """Return the names of the actions that have failed."""
    c = once.c
    return list(connection.execute(select(c.name).where(c.name.in_(names), c.error.is_not(None))).scalars())
