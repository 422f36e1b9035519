"""What may be poison: it was being tried when its process, its connection or its worker ended.

While nothing dies, nothing is written here. A lease, and the claim of a single cache, are traces that a run leaves
before it begins. When its server is buried, these say what it was trying.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, delete, select

from afterwork.store.database import Database
from afterwork.store.tables import quarantine as quarantines
from afterwork.store.tables import suspect as suspects
from afterwork.store.upsert import insert_into

Cause = Literal["process", "silent", "transaction", "connection", "worker"]
"""What ended: the process; the connection, for silence, for too long a transaction, or for another reason; the worker
thread."""

CACHE, ROUND = "afterwork-cache-", "afterwork-round-"
"""What the keys of caches and of rounds begin with. Other keys are those of leases: of tickets, matches and actions."""

EVERYWHERE = ""
"""The scope of caution that is all that a server runs."""

MANY = 4
"""What was near so many times the limit of deaths is given up, too: the killer may take its time."""

REMEMBERED_FOR = timedelta(days=30)

CAREFUL_FOR = timedelta(minutes=10)
"""For so long, servers that come are careful because of what has died before."""

TRIED_AGAIN = timedelta(days=1)
"""What was given up, and comes again by itself, is tried once more after so long."""


@dataclass(frozen=True)
class Suspect:
    """What is known of one that may be poison."""

    key: str
    deaths: int
    near: int
    cause: Cause
    detail: str | None
    at: datetime

    def is_beyond(self, limit: int) -> bool:
        """Whether it is not to be tried any more."""
        return self.deaths >= limit or self.near >= MANY * limit

    @property
    def times(self) -> int:
        """How often something ended while it was being tried."""
        return self.deaths + self.near


_COLUMNS = [suspects.c[name] for name in ("key", "deaths", "near", "cause", "detail", "at")]


def key_of(cache: int) -> str:
    """Return the key of a cache by its number."""
    return f"{CACHE}{cache}"


def is_cache(key: str) -> bool:
    """Whether a key is that of a cache, which has a claim and no lease."""
    return key.startswith(CACHE)


def find(connection: Connection, key: str) -> Suspect | None:
    """Return what is known of one key; None if nothing is."""
    row = connection.execute(select(*_COLUMNS).where(suspects.c.key == key)).one_or_none()
    return None if row is None else Suspect(*row)


def every(connection: Connection) -> list[Suspect]:
    """Return all suspects, the last one first."""
    rows = connection.execute(select(*_COLUMNS).order_by(suspects.c.at.desc(), suspects.c.key))
    return [Suspect(*row) for row in rows]


def beyond(database: Database, connection: Connection, keys: Collection[str]) -> Mapping[str, Suspect]:
    """Return those of some keys that are not to be tried any more, until a day has passed."""
    if not keys:
        return {}
    lately = suspects.c.at > database.after(-TRIED_AGAIN)
    rows = connection.execute(select(*_COLUMNS).where(suspects.c.key.in_(list(keys)), lately))
    found = (Suspect(*row) for row in rows)
    return {one.key: one for one in found if one.is_beyond(database.settings.crash_limit)}


def blame(
    database: Database, connection: Connection, key: str, cause: Cause, detail: str | None = None, near: bool = False
) -> None:
    """Count that something ended while a key was being tried; or while another one was that had begun later."""
    insert = insert_into(database.dialect, suspects)
    last = {"cause": cause, "detail": detail, "at": database.after(timedelta(0))}
    counts = {"deaths": int(not near), "near": int(near)}
    more = {name: suspects.c[name] + number for name, number in counts.items()}
    first = insert.values(key=key, **counts, **last)
    counted = first.on_conflict_do_update(index_elements=["key"], set_={**last, **more})
    connection.execute(counted)


def clear(connection: Connection, keys: Collection[str]) -> None:
    """Forget what is known of some keys: they have ended."""
    if keys:
        connection.execute(delete(suspects).where(suspects.c.key.in_(list(keys))))


def be_careful(database: Database, connection: Connection, scope: str = EVERYWHERE) -> None:
    """Have all servers be careful in a scope."""
    _forget_old(database, connection)
    at = database.after(timedelta(0))
    noted = insert_into(database.dialect, quarantines).values(scope=scope, at=at)
    connection.execute(noted.on_conflict_do_update(index_elements=["scope"], set_={"at": at}))


def careful(database: Database, connection: Connection) -> Mapping[str, datetime]:
    """Return where servers that come are to be careful, with the moment since when."""
    lately = quarantines.c.at > database.after(-CAREFUL_FOR)
    rows = connection.execute(select(quarantines.c.scope, quarantines.c.at).where(lately))
    return {row.scope: row.at for row in rows}


def _forget_old(database: Database, connection: Connection) -> None:
    """Forget what was long ago. Something has died, so that this is no time to count statements."""
    for table, span in ((suspects, REMEMBERED_FOR), (quarantines, CAREFUL_FOR)):
        connection.execute(delete(table).where(table.c.at < database.after(-span)))
