"""The number of runs per cache that became stale, while lines change at random."""

import random

from sqlalchemy import Connection, create_engine, text

import afterwork as aw
from benchmarks.cache.bench import CacheBench
from benchmarks.cache.drivers.driver import ORDERS
from benchmarks.cache.model import Base
from benchmarks.cache.place import Shop, fresh_shop
from benchmarks.support.bench import say
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

TRANSACTIONS = 4
"""The number of transactions in each round, of 1 to 4 writes each."""

WRITES = {
    "quantity": "UPDATE line SET quantity = quantity + 1 WHERE id = :line",
    "price": "UPDATE line SET price = price + 1.25 WHERE id = :line",
    "move": "UPDATE line SET order_id = :order WHERE id = :line",
    "delete": "DELETE FROM line WHERE id = :line",
    "same": "UPDATE line SET quantity = quantity, price = price WHERE id = :line",
    "name": "UPDATE customer SET name = name || '.' WHERE id = 1 + :line % 20",
}
IN_VAIN = {"same", "name"}

OWNER_OF_LINE = "SELECT o.customer_id FROM line l JOIN customer_order o ON o.id = l.order_id WHERE l.id = :number"
OWNER_OF_ORDER = "SELECT customer_id FROM customer_order WHERE id = :number"

RUNS = "SELECT sum(runs) FROM afterwork_cache"


def rows(bench: CacheBench, kind: Kind) -> list[Row]:
    """Count the runs of all rounds, and the caches that were truly stale at the end of each round."""
    chance, stale = random.Random(3), 0
    with fresh_shop(kind, bench.server, bench.sizes.few) as shop:
        engine = create_engine(shop.engine.url)
        app = aw.Afterwork(Base)
        app.install(engine)
        app.run_until_idle(engine)
        before = shop.number(RUNS)
        for _ in range(bench.sizes.load_rounds):
            stale += len(load(shop, chance))
            app.run_until_idle(engine)
            shop.check_totals("Afterwork")
        runs = shop.number(RUNS) - before
        engine.dispose()
    ratio = runs / stale
    say(f"random load, {kind}: {runs:.0f} runs, {stale} truly stale caches")
    other = f"truly stale: {stale}"
    return [
        Row(f"runs per truly stale cache, {kind}", f"{runs:.0f} runs", other, f"{ratio:.2f} ×", "1.00 ×", runs == stale)
    ]


def load(shop: Shop, chance: random.Random) -> set[int]:
    """Write at random, in many transactions. Returns the customers for whom something changed that their total read."""
    changed: set[int] = set()
    for _ in range(TRANSACTIONS):
        with shop.engine.connect() as connection:
            touched = set[int]().union(*(write(connection, shop, chance) for _ in range(chance.randint(1, 4))))
            if chance.random() < 0.2:
                connection.rollback()
            else:
                connection.commit()
                changed |= touched
    return changed


def write(connection: Connection, shop: Shop, chance: random.Random) -> set[int]:
    """Make one write, possibly without an effect. Returns the customers for whom it changed something that their total
    read."""
    line, order = chance.randint(1, shop.lines), chance.randint(1, shop.customers * ORDERS)
    name = chance.choice(list(WRITES))
    owner = owners(connection, OWNER_OF_LINE, line)
    if name == "move" and owner:
        owner = owner | owners(connection, OWNER_OF_ORDER, order) if is_elsewhere(connection, line, order) else set()
    connection.execute(text(WRITES[name]), {"line": line, "order": order})
    return set() if name in IN_VAIN else owner


def owners(connection: Connection, query: str, number: int) -> set[int]:
    """Return the customer of a line or order; none if the line was deleted."""
    return set(connection.scalars(text(query), {"number": number}))


def is_elsewhere(connection: Connection, line: int, order: int) -> bool:
    found = connection.scalar(text("SELECT order_id FROM line WHERE id = :line"), {"line": line})
    return bool(found != order)
