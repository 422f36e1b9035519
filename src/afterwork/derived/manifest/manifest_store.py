"""Keeping manifests: what each cache read, and finding the caches that read what has changed."""

import json
from abc import ABC, abstractmethod
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnClause, Connection, bindparam, column, delete, select, text
from sqlalchemy.dialects import postgresql

from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import manifest, read
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.direct import Direct


class TouchedRead(NamedTuple):
    """One thing that was changed: its number, when that was (a transaction's id, or a change's number on SQLite), which
    of the changes at hand it was, whether what depends on it may have to be read again, and whether nothing was changed
    but the column that the reader itself writes."""

    read_key: int
    tx: int
    change: int
    reread: bool
    written: bool = False


@dataclass(frozen=True)
class Affected:
    """A cache that read something which was changed after it had run. `change` is the first of the changes that it
    read; `computed` is the moment of its last run, `took` how many seconds that took; `waits` says that it is noted to
    run at some moment."""

    cache: int
    derivation: int
    root: str
    computed: datetime
    digest: int | None
    runs: int
    took: float | None
    waits: bool
    change: int
    reread: bool


def digest(tokens: Collection[int], *, in_sql: bool = False) -> int:
    """A number that tells a manifest from others. It is odd if SQL said what was read: what Python reads for the same
    value may be less, so a calculation in SQL can't go on from there."""
    content = array("q", sorted(tokens)).tobytes()
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True) & ~1 | in_sql


def is_of_sql(number: int | None) -> bool:
    """Whether a digest is that of a manifest which SQL has made."""
    return number is not None and bool(number & 1)


class ManifestStore(ABC):
    """The manifests in one kind of database."""

    @abstractmethod
    def read_keys(self, connection: Connection, caches: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """The manifests of caches, as far as they have one."""

    @abstractmethod
    def save(self, connection: Connection, changed: Mapping[int, Collection[int]]) -> None:
        """Write manifests that differ from what is there."""

    @abstractmethod
    def forget(self, connection: Connection, caches: Sequence[int]) -> None:
        """Delete the manifests of caches."""

    @abstractmethod
    def readers(self, connection: Connection, tokens: Sequence[int], most: int) -> list[tuple[int, int, str]]:
        """The caches that have read any of these, and no more than `most` of them: number, definition and root."""

    @abstractmethod
    def affected(self, connection: Connection, touched: Sequence[TouchedRead]) -> list[Affected]:
        """The caches that have read what was touched, and have not seen the change."""


class PostgreSQLManifestStore(ManifestStore):
    """One array for each cache, under an inverted index."""

    def __init__(self) -> None:
        self._readers = Direct(_READERS)

    def read_keys(self, connection: Connection, caches: Sequence[int]) -> Mapping[int, Sequence[int]]:
        found = select(manifest.c.cache, manifest.c.read_keys).where(manifest.c.cache.in_(caches))
        return {row.cache: row.read_keys for row in connection.execute(found)}

    def save(self, connection: Connection, changed: Mapping[int, Collection[int]]) -> None:
        insert = postgresql.insert(manifest)
        upsert = insert.on_conflict_do_update(index_elements=["cache"], set_={"read_keys": insert.excluded.read_keys})
        connection.execute(upsert, [{"cache": cache, "read_keys": sorted(tokens)} for cache, tokens in changed.items()])

    def forget(self, connection: Connection, caches: Sequence[int]) -> None:
        connection.execute(delete(manifest).where(manifest.c.cache.in_(caches)))

    def readers(self, connection: Connection, tokens: Sequence[int], most: int) -> list[tuple[int, int, str]]:
        c = caches.c
        found = select(c.id, c.derivation, c.root).join(manifest, manifest.c.cache == c.id).limit(most)
        return [
            tuple(row)
            for row in connection.execute(
                found.where(manifest.c.read_keys.op("&&")(bindparam("wanted", list(tokens), manifest.c.read_keys.type)))
            )
        ]

    def affected(self, connection: Connection, touched: Sequence[TouchedRead]) -> list[Affected]:
        # Written here: the driver takes far longer to write long arrays than PostgreSQL to read them.
        values = {
            "read_keys": _array(touch.read_key for touch in touched),
            "txs": _array(touch.tx for touch in touched),
            "changes": _array(touch.change for touch in touched),
            "rereads": _array(touch.reread for touch in touched),
            "writtens": _array(touch.written for touch in touched),
        }
        return [Affected(*row) for row in self._readers.execute(connection, values)]


class SQLiteManifestStore(ManifestStore):
    """A table of all reads by number, and one array for each cache that says which of them are its own."""

    def __init__(self) -> None:
        self._readers = Direct(_READERS_ON_SQLITE)

    def read_keys(self, connection: Connection, caches: Sequence[int]) -> Mapping[int, Sequence[int]]:
        found = select(manifest.c.cache, manifest.c.read_keys).where(manifest.c.cache.in_(caches))
        return {row.cache: array("q", row.read_keys) for row in connection.execute(found)}

    def save(self, connection: Connection, changed: Mapping[int, Collection[int]]) -> None:
        before = self.read_keys(connection, list(changed))
        gone, come, packed = [], [], []
        for cache, tokens in changed.items():
            old, new = set(before.get(cache, ())), set(tokens)
            gone += [(token, cache) for token in old - new]
            come += [(token, cache) for token in new - old]
            packed.append((cache, array("q", sorted(new)).tobytes()))
        self._many(connection, "DELETE FROM afterwork_read WHERE read_key = ? AND cache = ?", gone)
        self._many(connection, "INSERT INTO afterwork_read (read_key, cache) VALUES (?, ?)", come)
        self._many(connection, "INSERT OR REPLACE INTO afterwork_manifest (cache, read_keys) VALUES (?, ?)", packed)

    def forget(self, connection: Connection, caches: Sequence[int]) -> None:
        self.save(connection, dict.fromkeys(caches, ()))
        connection.execute(delete(manifest).where(manifest.c.cache.in_(caches)))

    def readers(self, connection: Connection, tokens: Sequence[int], most: int) -> list[tuple[int, int, str]]:
        c = caches.c
        found = select(c.id, c.derivation, c.root).join(read, read.c.cache == c.id).where(read.c.read_key.in_(tokens))
        return [tuple(row) for row in connection.execute(found.distinct().limit(most))]

    def affected(self, connection: Connection, touched: Sequence[TouchedRead]) -> list[Affected]:
        return [Affected(*row) for row in self._readers.execute(connection, {"touched": json.dumps(touched)})]

    def _many(self, connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            connection.exec_driver_sql(statement, rows)


def affected_by(row: Any, change: int, reread: bool) -> Affected:
    """A hit, of a row with what the cache's last run left."""
    return Affected(
        row.id, row.derivation, row.root, row.computed, row.digest, row.runs, row.took, bool(row.waits), change, reread
    )


def is_own_write(tx: int, wrote: int | None, dialect: str) -> bool:
    """Whether a change of a value was made by the cache itself, that last `wrote` then, and not by somebody else."""
    if wrote is None:
        return False
    return tx == wrote if dialect == "postgresql" else tx <= wrote


def _array(values: Iterable[object]) -> str:
    return f"{{{','.join(map(str, values))}}}"


def manifest_store_of(dialect: str) -> ManifestStore:
    """The manifests on "postgresql" or "sqlite"."""
    return PostgreSQLManifestStore() if dialect == "postgresql" else SQLiteManifestStore()


_WAITS = "EXISTS (SELECT 1 FROM afterwork_due WHERE cache = c.id) AS waits"
_LEFT = f"c.id, c.derivation, c.root, c.computed, c.digest, c.runs, c.took, {_WAITS}"

_READER: tuple[ColumnClause[Any], ...] = (
    column("cache"),
    column("derivation"),
    column("root"),
    column("computed", UtcDateTime()),
    column("digest"),
    column("runs"),
    column("took"),
    column("waits", Boolean()),
    column("change"),
    column("reread", Boolean()),
)

_READERS = text(
    "SELECT cache, derivation, root, computed, digest, runs, took, waits, change, reread FROM"
    " afterwork_readers(CAST(:read_keys AS bigint[]), CAST(:txs AS xid8[]), CAST(:changes AS int[]),"
    " CAST(:rereads AS bool[]), CAST(:writtens AS bool[]))"
).columns(*_READER)

# CROSS JOIN keeps SQLite to this order, whatever it believes of the tables.
_READERS_ON_SQLITE = text(
    f"SELECT {_LEFT}, min(json_extract(t.value, '$[2]')) AS change, max(json_extract(t.value, '$[3]')) AS reread"
    " FROM json_each(:touched) AS t"
    " CROSS JOIN afterwork_read AS r ON r.read_key = json_extract(t.value, '$[0]')"
    " CROSS JOIN afterwork_cache AS c ON c.id = r.cache"
    " WHERE c.snapshot < json_extract(t.value, '$[1]')"
    " AND NOT (json_extract(t.value, '$[4]') AND json_extract(t.value, '$[1]') <= coalesce(c.wrote, 0)) GROUP BY c.id"
).columns(*_READER)

# A function has its plan made once and kept. Its own settings and the subquery see to it that the index is used for
# each token, whatever the planner believes of the length of arrays: to look through all manifests for each of thousands
# of changes would take minutes.
READERS = f"""
DROP FUNCTION IF EXISTS afterwork_readers;
CREATE FUNCTION afterwork_readers(read_keys bigint[], txs xid8[], changes int[], rereads bool[],
    writtens bool[])
RETURNS TABLE (cache bigint, derivation int, root text, computed timestamptz, digest bigint, runs int, took float8,
    waits bool, change int, reread bool)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT {_LEFT}, min(t.change), bool_or(t.reread)
    FROM unnest(afterwork_readers.read_keys, afterwork_readers.txs, afterwork_readers.changes,
        afterwork_readers.rereads, afterwork_readers.writtens) AS t (read_key, tx, change, reread, written)
    CROSS JOIN LATERAL (
        SELECT m.cache FROM afterwork_manifest m WHERE m.read_keys @> ARRAY[t.read_key] OFFSET 0
    ) AS reader
    JOIN afterwork_cache c ON c.id = reader.cache
    WHERE NOT pg_visible_in_snapshot(t.tx, c.snapshot)
        AND t.tx IS DISTINCT FROM CASE WHEN t.written THEN c.wrote ELSE c.own END
    GROUP BY c.id;
END $$
"""
"""What PostgreSQL runs to find the readers of changes. `app.install` makes it."""
