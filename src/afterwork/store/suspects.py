"""Suspects: work that was running when its process, connection or worker ended, and so may be poison.

While nothing dies, nothing is written here. A lease, and the claim of a single cache, are traces that a run leaves
before it begins. When its server is buried, these say what it was trying.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Connection, delete, exists, select

from afterwork.store.database import Database
from afterwork.store.tables import quarantine as quarantines
from afterwork.store.tables import suspect as suspects
from afterwork.store.upsert import insert_into

CauseOfDeath = Literal["process", "silent", "transaction", "connection", "worker", "database"]
"""The end of a process, connection, worker thread, or of all connections by a crash of the database. A single
connection ends by silence, by too long a transaction, or otherwise."""

CACHE, ROUND = "afterwork-cache-", "afterwork-round-"
"""The prefixes of the keys of caches and rounds. Other keys are those of leases: of tickets, matches and actions."""

EVERYWHERE = ""
"""The scope of caution that covers everything a server runs."""

MANY = 4
"""The factor on the limit of deaths beyond which near work is given up, since killers may take their time."""

MAX_SUSPECT_AGE = timedelta(days=30)

MAX_QUARANTINE_AGE = timedelta(minutes=10)
"""The time for which starting servers are careful because of earlier deaths."""

TRIED_AGAIN = timedelta(days=1)
"""The time after which work that was given up, and comes again by itself, is tried once more."""


@dataclass(frozen=True)
class Suspect:
    """The record of work that may be poison."""

    key: str
    deaths: int
    near: int
    cause: CauseOfDeath
    detail: str | None
    at: datetime

    def is_beyond(self, limit: int) -> bool:
        """Return whether the work is not to be tried any more."""
        return self.deaths >= limit or self.near >= MANY * limit

    @property
    def times(self) -> int:
        """Return how often something ended while the work was being tried."""
        return self.deaths + self.near


@dataclass(frozen=True)
class Death:
    """The end of something while a key was being tried; `near` if something else is the more likely reason."""

    cause: CauseOfDeath
    detail: str | None = None
    near: bool = False


_COLUMNS = [suspects.c[name] for name in ("key", "deaths", "near", "cause", "detail", "at")]


def key_of(cache: int) -> str:
    return f"{CACHE}{cache}"


def is_cache(key: str) -> bool:
    """Return whether a key belongs to a cache, which has a claim and no lease."""
    return key.startswith(CACHE)


def find(connection: Connection, key: str) -> Suspect | None:
    row = connection.execute(select(*_COLUMNS).where(suspects.c.key == key)).one_or_none()
    return None if row is None else Suspect(*row)


def every(connection: Connection) -> list[Suspect]:
    """Return all suspects, the latest first."""
    rows = connection.execute(select(*_COLUMNS).order_by(suspects.c.at.desc(), suspects.c.key))
    return [Suspect(*row) for row in rows]


def beyond(database: Database, connection: Connection, keys: Collection[str]) -> Mapping[str, Suspect]:
    """Return those of some keys that are not to be tried any more, until a day has passed."""
    if not keys:
        return {}
    lately = suspects.c.at > database.after(-TRIED_AGAIN)
    rows = connection.execute(select(*_COLUMNS).where(suspects.c.key.in_(list(keys)), lately))
    recent_suspects = (Suspect(*row) for row in rows)
    return {suspect.key: suspect for suspect in recent_suspects if suspect.is_beyond(database.settings.crash_limit)}


def blame(database: Database, connection: Connection, key: str, death: Death) -> None:
    """Count that something ended while a key was being tried."""
    insert = insert_into(database.dialect, suspects)
    last = {"cause": death.cause, "detail": death.detail, "at": database.after(timedelta(0))}
    counts = {"deaths": int(not death.near), "near": int(death.near)}
    more = {name: suspects.c[name] + number for name, number in counts.items()}
    first = insert.values(key=key, **counts, **last)
    counted = first.on_conflict_do_update(index_elements=["key"], set_={**last, **more})
    connection.execute(counted)


def clear(connection: Connection, keys: Collection[str]) -> None:
    """Forget the records of some keys: they have ended."""
    if keys:
        connection.execute(delete(suspects).where(suspects.c.key.in_(list(keys))))


def start_quarantine(database: Database, connection: Connection, scope: str = EVERYWHERE) -> None:
    """Make all servers careful in a scope."""
    _forget_old(database, connection)
    at = database.after(timedelta(0))
    noted = insert_into(database.dialect, quarantines).values(scope=scope, at=at)
    connection.execute(noted.on_conflict_do_update(index_elements=["scope"], set_={"at": at}))


def quarantined_scopes(database: Database, connection: Connection) -> Mapping[str, datetime]:
    """Return the scopes in which starting servers are to be careful, each with its timestamp."""
    rows = connection.execute(select(quarantines.c.scope, quarantines.c.at).where(_lately(database)))
    return {row.scope: row.at for row in rows}


def any_quarantined(database: Database) -> ColumnElement[bool]:
    """Return the condition that there are such scopes."""
    return exists(select(quarantines.c.scope).where(_lately(database)))


def _lately(database: Database) -> ColumnElement[bool]:
    return quarantines.c.at > database.after(-MAX_QUARANTINE_AGE)


def _forget_old(database: Database, connection: Connection) -> None:
    """Forget old records. Something has died, so this is no time to count statements."""
    for table, max_age in ((suspects, MAX_SUSPECT_AGE), (quarantines, MAX_QUARANTINE_AGE)):
        connection.execute(delete(table).where(table.c.at < database.after(-max_age)))
