"""The time of filling the values of many objects for the first time, and what is stored for each of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from sqlalchemy import create_engine, inspect

import afterwork as aw
from benchmarks.cache.bench import CacheBench
from benchmarks.cache.place import REFRESH, SERIES, Shop, fresh_shop
from benchmarks.cache.sets import summing
from benchmarks.support.bench import say
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

NEEDED = 1.5
FEW = 10
"""Rows that may come whatever the number of values, such as those of the runs of a minute."""

LOAD = (
    "INSERT INTO customer (id, name, total) {series} SELECT n, 'Customer ' || n, 0 FROM series",
    "INSERT INTO customer_order (id, customer_id) {series} SELECT n, n FROM series",
    "INSERT INTO line (id, order_id, quantity, price) {series} SELECT n, n, 1 + n % 7, (1 + n % 97) * 1.25 FROM series",
)
"""The statements that give each customer one order with one line, and a total that is wrong."""

MANIFESTS = ("afterwork_manifest", "afterwork_read", "afterwork_cache")
OWN = "afterwork_"

IS_FILLED = "SELECT count(*) FROM afterwork_derivation WHERE backfilled"


@dataclass(frozen=True)
class Filled:
    """The seconds of filling. `rows` and `size` in bytes are what Afterwork's tables have more of than before, and
    `manifests` the bytes of the manifests among them; on SQLite, bytes are those of whole pages."""

    seconds: float
    rows: int = 0
    size: int = 0
    manifests: int = 0


def rows(bench: CacheBench, kind: Kind) -> list[Row]:
    """Yield the row of filling, compared with one UPDATE by hand, and that of what is stored."""
    count = bench.sizes.objects
    filled, updated = [], []
    for _ in range(bench.sizes.runs):
        updated.append(measured(bench, kind, by_hand))
        filled.append(measured(bench, kind, fill))
        say(f"filling {count:,} values, {kind}: {filled[-1].seconds:.2f} s, by hand {updated[-1].seconds:.2f} s")
    ours, other = median(run.seconds for run in filled), median(run.seconds for run in updated)
    ratio, stored = ours / other, filled[-1]
    say(f"stored beside {count:,} values, {kind}: {stored}")
    return [
        Row(
            f"filling {count:,} values, {kind}",
            f"{ours:.2f} s",
            f"one UPDATE by hand: {other:.2f} s",
            f"{ratio:.2f} ×",
            f"at most {NEEDED} ×",
            ratio <= NEEDED,
        ),
        Row(
            f"manifests of {count:,} values, {kind}",
            f"{stored.manifests:,} bytes",
            f"all of Afterwork's tables: {stored.rows:,} rows, {stored.size:,} bytes more than before",
            "-",
            "0 bytes, no row per value",
            stored.manifests == 0 and stored.rows < FEW,
        ),
    ]


def measured(bench: CacheBench, kind: Kind, act: Callable[[Shop], Filled]) -> Filled:
    """Return the result of filling a fresh database."""
    with fresh_shop(kind, bench.server, 0) as shop:
        for statement in LOAD:
            shop.execute(statement.format(series=SERIES), count=bench.sizes.objects)
        shop.settle()
        filled = act(shop)
        shop.check_totals(act.__name__)
        return filled


def by_hand(shop: Shop) -> Filled:
    began = time.perf_counter()
    shop.execute(REFRESH)
    return Filled(time.perf_counter() - began)


def fill(shop: Shop) -> Filled:
    engine = create_engine(shop.engine.url)
    app = aw.Afterwork(summing())
    app.install(engine)
    shop.settle()
    before = stored(shop)
    began = time.perf_counter()
    with app.serving(engine):
        while not shop.number(IS_FILLED):
            time.sleep(0.05)
        seconds = time.perf_counter() - began
    engine.dispose()
    shop.settle()
    after = stored(shop)
    more = (now - then for now, then in zip(after, before, strict=True))
    return Filled(seconds, *more)


def stored(shop: Shop) -> tuple[int, int, int]:
    """Return the rows and bytes of Afterwork's tables, and the bytes of the manifests among them."""
    names = [name for name in inspect(shop.engine).get_table_names() if name.startswith(OWN)]
    numbers = [int(shop.number(f"SELECT count(*) FROM {name}")) for name in names]
    sizes = {name: size_of(shop, name) for name in names}
    return sum(numbers), sum(sizes.values()), sum(sizes.get(name, 0) for name in MANIFESTS)


def size_of(shop: Shop, table: str) -> int:
    """Return the bytes of a table with its indexes."""
    if shop.kind == "PostgreSQL":
        return int(shop.number("SELECT pg_total_relation_size(CAST(:name AS regclass))", name=table))
    parts = "SELECT name FROM sqlite_master WHERE tbl_name = :name"
    return int(shop.number(f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({parts})", name=table))
