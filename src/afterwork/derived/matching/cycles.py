"""Circles between rows: a value that, by way of others, is made of itself."""

from dataclasses import dataclass

from sqlalchemy import Connection, Dialect, select

from afterwork.derived.manifest.manifest_store import Affected, is_own_write
from afterwork.derived.queue.due_queue import ClaimedCache
from afterwork.derived.queue.registry import DerivationRegistry
from afterwork.derived.tables import cache as caches
from afterwork.errors import CircularCaches
from afterwork.store.journal.change import Change

LOOK_EVERY = 8
"""Beyond so many steps of cause and effect it is looked only now and then whether they go round: a long way through a
tree is not to be looked at again for each of its steps."""


ROUNDS = 2
"""How often a change has to come round until that is called a circle."""


@dataclass(frozen=True)
class Writer:
    """The cache that made a change, and its level. `depth` counts causes and effects that led to it."""

    cache: int
    depth: int
    level: int


class CacheCycles:
    """Follows causes, for the changes of one match."""

    def __init__(self, connection: Connection, definitions: DerivationRegistry, dialect: Dialect) -> None:
        self._connection = connection
        self._definitions = definitions
        self._dialect = dialect
        self._circular = definitions.order.cyclic

    def writer(self, change: Change, hit: Affected) -> Writer | None:
        """The cache that made a change which made another one stale, where that could become a circle."""
        if hit.derivation not in self._circular or change.kind != "U" or change.key is None:
            return None
        c = caches.c
        for definition in self._definitions.writing(change.table_id, change.columns):
            if definition.id in self._circular:
                roots, _ = definition.roots_of([change.key], self._dialect)
                own = select(c.id, c.depth, c.wrote, c.level).where(c.derivation == definition.id, c.root.in_(roots))
                found = self._connection.execute(own).one_or_none()
                if found is not None and (
                    found.id != hit.cache or is_own_write(change.tx, found.wrote, self._dialect.name)
                ):
                    return Writer(found.id, found.depth, found.level or 0)
        return None


def cycle_of(connection: Connection, claimed: ClaimedCache, definitions: DerivationRegistry) -> CircularCaches | None:
    """The circle that a cache is in, if it was made stale by what it has written itself, by way of others."""
    if claimed.cause_cache is None or (claimed.depth > LOOK_EVERY and claimed.depth % LOOK_EVERY):
        return None
    way = _way(connection, claimed.cache, claimed.cause_cache)
    # The causes of runs before this one may be of other times, when others were made of others. So a circle is believed
    # only once it has been gone round twice.
    if not way or claimed.depth < ROUNDS * (len(way) - 1):
        return None
    c = caches.c
    rows = connection.execute(select(c.id, c.derivation, c.root).where(c.id.in_(way)))
    known = definitions.by_id
    # One that this model has not is another server's.
    names = {row.id: f"{known[row.derivation].name} of {row.root}" for row in rows if row.derivation in known}
    return CircularCaches([names.get(number, "?") for number in reversed(way)])


def _way(connection: Connection, start: int, writer: int) -> list[int]:
    """The caches on the way from `start`, cause by cause, back to itself; [] if the way doesn't lead there."""
    if writer == start:
        return [start, start]
    c = caches.c
    way = [writer]
    while True:
        before = connection.execute(select(c.cause_cache).where(c.id == way[-1])).scalar()
        if before == start:
            return [start, *reversed(way), start]
        if before is None or before in way:
            return []
        way.append(before)
