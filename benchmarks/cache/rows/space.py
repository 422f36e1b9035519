"""The space that the manifests take."""

from sqlalchemy import create_engine

import afterwork as aw
from benchmarks.cache.bench import CacheBench
from benchmarks.cache.drivers.driver import LINES, ORDERS
from benchmarks.cache.model import Base
from benchmarks.cache.place import fresh_shop
from benchmarks.support.bench import say
from benchmarks.support.table import Row

NEEDED = 60
MEMBERS = 1 + ORDERS + 2 * ORDERS * LINES
"""Member instances that the job reads of a customer: `orders`, the `lines` of each, `quantity` and `price` of these."""

SIZE = "SELECT pg_total_relation_size('afterwork_manifest')"
TOKENS = "SELECT sum(cardinality(read_keys)) FROM afterwork_manifest"


def rows(bench: CacheBench) -> list[Row]:
    with fresh_shop("PostgreSQL", bench.server, bench.sizes.customers) as shop:
        engine = create_engine(shop.engine.url)
        app = aw.Afterwork(Base)
        app.install(engine)
        app.run_until_idle(engine)
        engine.dispose()
        size, tokens = shop.number(SIZE), shop.number(TOKENS)
    each = size / (bench.sizes.customers * MEMBERS)
    say(f"manifests: {size:,.0f} bytes, {tokens:,.0f} numbers")
    ours, other = f"{each:.1f} bytes", f"{size / tokens:.1f} bytes for each number in a manifest"
    return [
        Row("space per member instance read, PostgreSQL", ours, other, "-", f"at most {NEEDED} bytes", each <= NEEDED)
    ]
