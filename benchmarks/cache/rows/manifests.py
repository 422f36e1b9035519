"""The cost of one change, as the number of manifests grows."""

import json
from contextlib import ExitStack
from statistics import median

from sqlalchemy import Connection, text

from afterwork.derived.manifest.reads import KEY_BITS
from benchmarks.cache.bench import CacheBench, afterwork
from benchmarks.cache.place import Shop, fresh_shop
from benchmarks.support.bench import say
from benchmarks.support.contestant import Contestant
from benchmarks.support.table import Row

WITHIN = 0.20
READS = 10
"""The number of reads in each made-up manifest, of rows that nobody else reads."""

FAR = 1_000_000_000
"""The first key that only made-up manifests read. No such rows exist."""

CACHES = (
    "INSERT INTO afterwork_cache (derivation, root, snapshot, runs, computed)"
    " SELECT last.derivation, 'Customer!' || (:far + n), last.snapshot, 1, last.computed"
    " FROM (SELECT * FROM afterwork_cache ORDER BY id DESC LIMIT 1) AS last, generate_series(1, :count) AS n"
)
SHAPE = (
    f"SELECT read_key >> {KEY_BITS} FROM afterwork_manifest, unnest(read_keys) AS read_key"
    f" GROUP BY read_key >> {KEY_BITS} ORDER BY count(*) DESC LIMIT 1"
)
MANIFESTS = (
    "INSERT INTO afterwork_manifest (cache, read_keys) SELECT id,"
    f" ARRAY(SELECT (CAST(:shape AS bigint) << {KEY_BITS}) | (:far + id * :reads + n)"
    " FROM generate_series(0, :reads - 1) AS n)"
    " FROM afterwork_cache WHERE NOT EXISTS (SELECT FROM afterwork_manifest WHERE cache = afterwork_cache.id)"
)


def rows(bench: CacheBench) -> list[Row]:
    """One database for each number of manifests, changed in turns. With its SQL side, the job would have none."""
    ours = afterwork("PostgreSQL", "python")
    taken: dict[int, list[float]] = {count: [] for count in bench.sizes.manifests}
    with ExitStack() as stack:
        shops = {count: stack.enter_context(fresh_shop("PostgreSQL", bench.server, bench.sizes.few)) for count in taken}
        for count, shop in shops.items():
            prepare(ours, shop, count)
            stack.enter_context(ours.working(shop)).check()
        for turn in range(bench.sizes.runs):
            for count, shop in shops.items():
                times = json.loads(ours.run(shop, "changes", shop.lines, bench.sizes.changes, turn))
                taken[count].append(median(times) * 1000)
                say(f"one change with {count:,} manifests: {taken[count][-1]:.2f} ms")
        for shop in shops.values():
            shop.check_totals(ours.name)
    times = {count: median(found) for count, found in taken.items()}
    return [row(count, times) for count in list(times)[1:]]


def row(count: int, times: dict[int, float]) -> Row:
    least = min(times)
    ratio = times[count] / times[least]
    other = f"with {least:,}: {times[least]:.2f} ms"
    what, needed = f"one change with {count:,} manifests, PostgreSQL", f"flat: at most {1 + WITHIN:.2f} ×"
    return Row(what, f"{times[count]:.2f} ms", other, f"{ratio:.2f} ×", needed, ratio <= 1 + WITHIN)


def prepare(ours: Contestant, shop: Shop, count: int) -> None:
    ours.run(shop, "setup")
    with shop.engine.begin() as connection:
        fill_manifests(connection, count)
    shop.settle()


def fill_manifests(connection: Connection, count: int) -> None:
    """Make up caches and their manifests, up to `count`."""
    missing = count - connection.scalars(text("SELECT count(*) FROM afterwork_manifest")).one()
    shape = connection.scalars(text(SHAPE)).one()
    index = connection.scalars(text("SELECT pg_get_indexdef('afterwork_manifest_read_keys'::regclass)")).one()
    connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
    connection.execute(text("DROP INDEX afterwork_manifest_read_keys"))
    connection.execute(text(CACHES), {"far": FAR, "count": missing})
    connection.execute(text(MANIFESTS), {"shape": shape, "far": FAR, "reads": READS})
    connection.execute(text(index))
