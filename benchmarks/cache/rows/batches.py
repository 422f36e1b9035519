"""The processor time per object of calculations in Python, in batches."""

import time
from collections.abc import Callable

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

import afterwork as aw
from benchmarks.cache.bench import CacheBench
from benchmarks.cache.drivers.bare import run
from benchmarks.cache.model import Base
from benchmarks.cache.place import Shop, fresh_shop
from benchmarks.support.bench import say
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

NEEDED = 3
CUSTOMERS = 60
CHANGE = f"UPDATE line SET quantity = quantity + 1 WHERE mod(id, (SELECT max(id) / {CUSTOMERS} FROM line)) = 1"
"""A statement that changes one line of each customer."""


def rows(bench: CacheBench, kind: Kind) -> list[Row]:
    """Yield the row. All customers are recalculated after a change, in this process, and by hand one by one,
    alternating. Other work on the machine lengthens processor time, too, but much less than elapsed time."""
    with fresh_shop(kind, bench.server, CUSTOMERS) as shop:
        engine = create_engine(shop.engine.url)
        app = aw.Afterwork(Base)
        app.install(engine)
        app.run_until_idle(engine)
        ours, by_hand = measure(app, shop, engine, bench.sizes.tracked)
        shop.check_totals("Afterwork")
        engine.dispose()
    what = f"processor's time for one of {CUSTOMERS} customers, job in Python, {kind}"
    say(f"{what}: {ours:.2f} ms, by hand {by_hand:.2f} ms")
    ratio = ours / by_hand
    other = f"bare job in a loop: {by_hand:.2f} ms"
    return [Row(what, f"{ours:.2f} ms", other, f"{ratio:.2f} ×", f"at most {NEEDED} ×", ratio <= NEEDED)]


def measure(app: aw.Afterwork, shop: Shop, engine: Engine, times: int) -> tuple[float, float]:
    """Return the milliseconds per customer of each: the minimum, which other work has disturbed least."""
    ours, by_hand = [], []
    for _ in range(times + 1):
        shop.execute(CHANGE)
        ours.append(timed(lambda: app.run_until_idle(engine)))
        by_hand.append(timed(lambda: loop(engine)))
    return min(ours[1:]), min(by_hand[1:])


def loop(engine: Engine) -> None:
    for customer in range(1, CUSTOMERS + 1):
        with Session(engine) as session, session.begin():
            run(session, customer)


def timed(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return (time.process_time() - began) * 1000 / CUSTOMERS
