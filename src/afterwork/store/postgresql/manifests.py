"""Manifests on PostgreSQL: one array for each cache, under an inverted index."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, select, text
from sqlalchemy.dialects import postgresql

from afterwork.store.caches.manifests import AFFECTED_COLUMNS, LAST_RUN, Affected, ManifestStore, TouchedRead
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import manifest
from afterwork.store.direct_statement import DirectStatement

# PostgreSQL plans a function once and keeps the plan. Its settings and the subquery make sure that the index is used
# for each read key, whatever the planner believes of the length of arrays: to look through all manifests for each of
# thousands of changes would take minutes.
READERS = f"""
CREATE FUNCTION afterwork_readers(read_keys bigint[], txs xid8[], changes int[], rereads bool[],
    writtens bool[])
RETURNS TABLE (cache bigint, derivation int, root text, computed timestamptz, digest bigint, runs int, took float8,
    waits bool, change int, reread bool)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT {LAST_RUN}, min(t.change), bool_or(t.reread)
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
"""The function that finds the readers of changes. `app.install` creates it."""

_SOURCE = text("SELECT prosrc FROM pg_proc WHERE oid = to_regproc('afterwork_readers')")

_AFFECTED = text(
    "SELECT cache, derivation, root, computed, digest, runs, took, waits, change, reread FROM"
    " afterwork_readers(CAST(:read_keys AS bigint[]), CAST(:txs AS xid8[]), CAST(:changes AS int[]),"
    " CAST(:rereads AS bool[]), CAST(:writtens AS bool[]))"
).columns(*AFFECTED_COLUMNS)


class PostgreSQLManifestStore(ManifestStore):
    """The manifests as arrays of read keys."""

    def __init__(self) -> None:
        self._affected = DirectStatement(_AFFECTED)

    def prepare(self, connection: Connection) -> Iterator[str]:
        source = connection.execute(_SOURCE).scalar()
        if source is None or source.strip() not in READERS:
            connection.exec_driver_sql("DROP FUNCTION IF EXISTS afterwork_readers")
            connection.exec_driver_sql(READERS)
            yield "function afterwork_readers created"

    def read_keys(self, connection: Connection, caches: Sequence[int]) -> Mapping[int, Sequence[int]]:
        query = select(manifest.c.cache, manifest.c.read_keys).where(manifest.c.cache.in_(caches))
        return {row.cache: row.read_keys for row in connection.execute(query)}

    def save(self, connection: Connection, changed: Mapping[int, Collection[int]]) -> None:
        insert = postgresql.insert(manifest)
        upsert = insert.on_conflict_do_update(index_elements=["cache"], set_={"read_keys": insert.excluded.read_keys})
        connection.execute(upsert, [{"cache": cache, "read_keys": sorted(keys)} for cache, keys in changed.items()])

    def forget(self, connection: Connection, caches: Sequence[int]) -> None:
        connection.execute(delete(manifest).where(manifest.c.cache.in_(caches)))

    def readers(self, connection: Connection, read_keys: Sequence[int], limit: int) -> list[tuple[int, int, str]]:
        c = caches.c
        wanted = bindparam("wanted", list(read_keys), manifest.c.read_keys.type)
        query = select(c.id, c.derivation, c.root).join(manifest, manifest.c.cache == c.id)
        query = query.where(manifest.c.read_keys.op("&&")(wanted)).limit(limit)
        return [tuple(row) for row in connection.execute(query)]

    def affected(self, connection: Connection, touched: Sequence[TouchedRead]) -> list[Affected]:
        values = {
            "read_keys": _array(touch.read_key for touch in touched),
            "txs": _array(touch.tx for touch in touched),
            "changes": _array(touch.change for touch in touched),
            "rereads": _array(touch.reread for touch in touched),
            "writtens": _array(touch.is_only_own_column for touch in touched),
        }
        return [Affected(*row) for row in self._affected.execute(connection, values)]


def _array(values: Iterable[object]) -> str:
    # The driver takes far longer to write long arrays than PostgreSQL to read them.
    return f"{{{','.join(map(str, values))}}}"
