"""Manifests on SQLite: a table of all reads by read key, and an array with the reads of each cache."""

import json
from array import array
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, text

from afterwork.store.caches.manifests import AFFECTED_COLUMNS, LAST_RUN, Affected, ManifestStore, TouchedRead
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import manifest, read
from afterwork.store.direct_statement import DirectStatement

# CROSS JOIN keeps SQLite to this order, whatever it believes of the tables.
_AFFECTED = text(
    f"SELECT {LAST_RUN}, min(json_extract(t.value, '$[2]')) AS change, max(json_extract(t.value, '$[3]')) AS reread"
    " FROM json_each(:touched) AS t"
    " CROSS JOIN afterwork_read AS r ON r.read_key = json_extract(t.value, '$[0]')"
    " CROSS JOIN afterwork_cache AS c ON c.id = r.cache"
    " WHERE c.snapshot < json_extract(t.value, '$[1]')"
    " AND NOT (json_extract(t.value, '$[4]') AND json_extract(t.value, '$[1]') <= coalesce(c.wrote, 0)) GROUP BY c.id"
).columns(*AFFECTED_COLUMNS)


class SQLiteManifestStore(ManifestStore):
    """The manifests as rows, and as packed arrays of read keys."""

    def __init__(self) -> None:
        self._affected = DirectStatement(_AFFECTED)

    def read_keys(self, connection: Connection, caches: Sequence[int]) -> Mapping[int, Sequence[int]]:
        query = select(manifest.c.cache, manifest.c.read_keys).where(manifest.c.cache.in_(caches))
        return {row.cache: array("q", row.read_keys) for row in connection.execute(query)}

    def save(self, connection: Connection, changed: Mapping[int, Collection[int]]) -> None:
        before = self.read_keys(connection, list(changed))
        removed, added, packed = [], [], []
        for cache, read_keys in changed.items():
            old, new = set(before.get(cache, ())), set(read_keys)
            removed += [(read_key, cache) for read_key in old - new]
            added += [(read_key, cache) for read_key in new - old]
            packed.append((cache, array("q", sorted(new)).tobytes()))
        _send(connection, "DELETE FROM afterwork_read WHERE read_key = ? AND cache = ?", removed)
        _send(connection, "INSERT INTO afterwork_read (read_key, cache) VALUES (?, ?)", added)
        _send(connection, "INSERT OR REPLACE INTO afterwork_manifest (cache, read_keys) VALUES (?, ?)", packed)

    def forget(self, connection: Connection, caches: Sequence[int]) -> None:
        self.save(connection, dict.fromkeys(caches, ()))
        connection.execute(delete(manifest).where(manifest.c.cache.in_(caches)))

    def readers(self, connection: Connection, read_keys: Sequence[int], limit: int) -> list[tuple[int, int, str]]:
        c = caches.c
        query = select(c.id, c.derivation, c.root).join(read, read.c.cache == c.id)
        query = query.where(read.c.read_key.in_(read_keys)).distinct().limit(limit)
        return [tuple(row) for row in connection.execute(query)]

    def affected(self, connection: Connection, touched: Sequence[TouchedRead]) -> list[Affected]:
        return [Affected(*row) for row in self._affected.execute(connection, {"touched": json.dumps(touched)})]

    def is_own_write(self, tx: int, wrote: int | None) -> bool:
        return wrote is not None and tx <= wrote


def _send(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        connection.exec_driver_sql(statement, rows)
