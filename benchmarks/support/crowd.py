"""A long-used database: many tickets, most of which have ended, and many caches with their reads."""

from sqlalchemy import Connection, text

from afterwork.derived.manifest.reads import KEY_BITS
from benchmarks.support.place import Kind

FAR = 1_000_000_000
"""The first key of made-up roots and rows. No such rows exist."""

READS = 10
"""The number of reads in each made-up manifest."""

WAITING, FAILED = 2_000, 5_000
"""Tickets, besides those that are done; no more than a half and a quarter of all."""

SERIES = "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < :count)"
TICKETS = (
    "INSERT INTO sys_async_ticket"
    " (view_model, root_id, keep_receipt_minutes, attempts, created, done, delete_time, error)"
    f" {SERIES} SELECT 'Customer.remind', 'Customer!' || n, 10, 1, CURRENT_TIMESTAMP,"
    " CASE WHEN n > :waiting THEN CURRENT_TIMESTAMP END, CASE WHEN n > :waiting THEN CURRENT_TIMESTAMP END,"
    " CASE WHEN n > :waiting AND n <= :waiting + :failed THEN 'ValueError: can not be done' END FROM series"
)
CACHES = (
    "INSERT INTO afterwork_cache (derivation, root, snapshot, runs, computed)"
    f" {SERIES} SELECT one.derivation, 'Customer!' || (:far + n), one.snapshot, 1, one.computed"
    " FROM series CROSS JOIN (SELECT * FROM afterwork_cache ORDER BY id DESC LIMIT 1) AS one"
)
MADE_UP = "FROM afterwork_cache WHERE id NOT IN (SELECT cache FROM afterwork_manifest)"
MANIFESTS: dict[Kind, tuple[str, ...]] = {
    "PostgreSQL": (
        "INSERT INTO afterwork_manifest (cache, read_keys) SELECT id,"
        " ARRAY(SELECT (CAST(:shape AS bigint) << :bits) | (:far + id * :reads + n)"
        f" FROM generate_series(0, :reads - 1) AS n) {MADE_UP}",
    ),
    "SQLite": (
        "INSERT INTO afterwork_read (read_key, cache)"
        " SELECT (CAST(:shape AS bigint) << :bits) | (:far + id * :reads + n), id FROM afterwork_cache,"
        " (WITH RECURSIVE some(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM some WHERE n < :reads - 1)"
        " SELECT n FROM some)"
        " WHERE id NOT IN (SELECT cache FROM afterwork_manifest) ORDER BY 1",
        "INSERT INTO afterwork_manifest (cache, read_keys)"
        f" SELECT id, (SELECT read_keys FROM afterwork_manifest LIMIT 1) {MADE_UP}",
    ),
}


def fill(connection: Connection, kind: Kind, count: int) -> None:
    """Insert these numbers of tickets, and of caches in addition to the existing ones."""
    waiting, failed = min(WAITING, count // 2), min(FAILED, count // 4)
    connection.execute(text(TICKETS), {"count": count, "waiting": waiting, "failed": failed})
    connection.execute(text(CACHES), {"count": count, "far": FAR})
    given = {"shape": 1, "bits": KEY_BITS, "far": FAR, "reads": READS}
    for statement in MANIFESTS[kind]:
        connection.execute(text(statement), {name: given[name] for name in given if f":{name}" in statement})
