"""The cost of recording a job's reads."""

import gc
import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median

from sqlalchemy import Engine, create_engine, insert, update
from sqlalchemy.orm import Session

import afterwork as aw
from benchmarks.cache.bench import CacheBench
from benchmarks.cache.place import fresh_shop
from benchmarks.cache.wide import Base, Cell, Sheet
from benchmarks.support.bench import say
from benchmarks.support.contestant import Failed
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

NEEDED = 1.2
CELLS = 5000
MEMBERS = 2 * CELLS


def rows(bench: CacheBench, kind: Kind) -> list[Row]:
    """Yield the rows of the calculation with its loading, in a run and by hand, alternating; then of the whole of
    each."""
    with fresh_shop(kind, bench.server, 0) as shop:
        engine = create_engine(shop.engine.url)
        prepare(engine)
        app = aw.Afterwork(Base)
        app.install(engine)
        app.run_until_idle(engine)
        shop.settle()
        tracked, by_hand = measure(app, engine, bench.sizes.tracked)
        engine.dispose()
    return [
        row(f"a job that reads {MEMBERS:,} members, tracked, {kind}", tracked[0], by_hand[0], NEEDED),
        row(f"the whole run of it, {kind}", tracked[1], by_hand[1], None),
    ]


def row(what: str, ours: float, other: float, needed: float | None) -> Row:
    ratio = ours / other
    wanted, met = ("(for comparison)", None) if needed is None else (f"at most {needed} ×", ratio <= needed)
    say(f"{what}: {ours:.1f} ms, by hand {other:.1f} ms")
    return Row(what, f"{ours:.1f} ms", f"untracked, by hand: {other:.1f} ms", f"{ratio:.2f} ×", wanted, met)


def prepare(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    cells = [{"id": n, "sheet_id": 1, "quantity": 1, "price": Decimal("1.25")} for n in range(1, CELLS + 1)]
    with engine.begin() as connection:
        connection.execute(insert(Sheet).values(id=1, total=0))
        connection.execute(insert(Cell), cells)


Pair = tuple[float, float]


def measure(app: aw.Afterwork, engine: Engine, times: int) -> tuple[Pair, Pair]:
    """Return the median milliseconds of the calculation and of the whole, in a run and by hand."""
    tracked, by_hand = [], []
    for turn in range(times + 1):
        change(engine, 2 * turn)
        tracked.append(timed(lambda: app.run_until_idle(engine)))
        change(engine, 2 * turn + 1)
        by_hand.append(timed(lambda: run(engine)))
        app.run_until_idle(engine)
    return middle(tracked[1:]), middle(by_hand[1:])


def change(engine: Engine, turn: int) -> None:
    with engine.begin() as connection:
        connection.execute(update(Cell).where(Cell.id == 1 + turn).values(quantity=2 + turn))


def run(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        sheet = session.get_one(Sheet, 1)
        sheet.total = sheet.compute_total()


def timed(act: Callable[[], object]) -> Pair:
    """Return the time of the calculation and of the whole. Raises `Failed` unless it calculated exactly once."""
    # Python's full collection takes longer than the job. In turns, it would come to the same contestant each time.
    gc.collect()
    Sheet.seconds.clear()
    began = time.perf_counter()
    act()
    whole = time.perf_counter() - began
    if len(Sheet.seconds) != 1:
        raise Failed(f"the total was calculated {len(Sheet.seconds)} times after one change")
    return Sheet.seconds[0] * 1000, whole * 1000


def middle(pairs: list[Pair]) -> Pair:
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
