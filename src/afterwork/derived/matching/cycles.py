"""Cycles between rows: a value that, through others, is made from itself."""

from dataclasses import dataclass

from sqlalchemy import Connection, Dialect, select

from afterwork.derived.queue.due_cache import ClaimedCache
from afterwork.derived.queue.registry import DerivationRegistry
from afterwork.errors import CircularCaches
from afterwork.store.caches.manifests import Affected, ManifestStore
from afterwork.store.caches.tables import cache as caches
from afterwork.store.journal.change import Change

CHECK_EVERY_DEPTH = 8
"""Past this depth of causes and effects, check for a cycle only at multiples of it. Otherwise a long path through a
tree would be followed again for each of its steps."""

MIN_ROUNDS = 2
"""The number of times that a change must come round to count as a cycle."""


@dataclass(frozen=True)
class Writer:
    """The cache that made a change, and its level. `depth` counts causes and effects that led to it."""

    cache: int
    depth: int
    level: int


class CacheCycles:
    """Finds the writers of changes, where they could become a cycle."""

    def __init__(
        self, connection: Connection, registry: DerivationRegistry, manifests: ManifestStore, dialect: Dialect
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._manifests = manifests
        self._dialect = dialect
        self._cyclic = registry.order.cyclic

    def writer(self, change: Change, affected: Affected) -> Writer | None:
        """Return the cache that made a change, if the affected cache could be part of a cycle with it."""
        if affected.derivation not in self._cyclic or change.kind != "U" or change.key is None:
            return None
        c = caches.c
        for derivation in self._registry.writing(change.table_id, change.columns):
            if derivation.id not in self._cyclic:
                continue
            roots, _ = derivation.roots_of([change.key], self._dialect)
            own = select(c.id, c.depth, c.wrote, c.level).where(c.derivation == derivation.id, c.root.in_(roots))
            row = self._connection.execute(own).one_or_none()
            if row is not None and (row.id != affected.cache or self._manifests.is_own_write(change.tx, row.wrote)):
                return Writer(row.id, row.depth, row.level or 0)
        return None


def cycle_of(connection: Connection, claimed: ClaimedCache, registry: DerivationRegistry) -> CircularCaches | None:
    """Return the cycle of a cache that was made stale by what it has written itself, through others; else None."""
    if claimed.cause_cache is None or (claimed.depth > CHECK_EVERY_DEPTH and claimed.depth % CHECK_EVERY_DEPTH):
        return None
    path = _path_back(connection, claimed.cache, claimed.cause_cache)
    # The causes of earlier runs may date from a time when values were made from others. So a cycle is believed only
    # once a change has gone round it twice.
    if not path or claimed.depth < MIN_ROUNDS * (len(path) - 1):
        return None
    c = caches.c
    rows = connection.execute(select(c.id, c.derivation, c.root).where(c.id.in_(path)))
    known = registry.by_id
    # A derivation that this model doesn't have is another server's.
    names = {row.id: f"{known[row.derivation].name} of {row.root}" for row in rows if row.derivation in known}
    return CircularCaches([names.get(cache, "?") for cache in reversed(path)])


def _path_back(connection: Connection, start: int, writer: int) -> list[int]:
    """Return the caches on the path from `start`, cause by cause, back to itself; [] if it doesn't lead there."""
    if writer == start:
        return [start, start]
    c = caches.c
    path = [writer]
    while True:
        cause = connection.execute(select(c.cause_cache).where(c.id == path[-1])).scalar()
        if cause == start:
            return [start, *reversed(path), start]
        if cause is None or cause in path:
            return []
        path.append(cause)
