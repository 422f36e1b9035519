"""The rate of asking for many tickets in one transaction, compared with a call of `aw.later` for each."""

import time
from collections.abc import Callable, Iterable
from statistics import median

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

import afterwork as aw
from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK
from benchmarks.support.model import Base, Customer
from benchmarks.support.place import Kind, fresh_place
from benchmarks.support.table import Row, rate

OVER_SINGLE = 5.0


def row(bench: Bench, kind: Kind) -> Row:
    count = bench.sizes.asked
    ways: dict[str, Callable[[Iterable[Customer]], object]] = {"later_many": many, "later": each}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(bench.sizes.runs):
        for way, ask in ways.items():
            with fresh_place(kind, bench.server, count) as place:
                Base.metadata.create_all(place.engine)
                AFTERWORK[kind].run(place, "setup")
                place.settle()
                rates[way].append(count / seconds(place.engine, count, ask))
            say(f"asking, {way}, {kind}: {rate(rates[way][-1])}")
    together, single = (median(rates[way]) for way in ways)
    what, ratio = f"asking for {count:,} tickets, {kind}, later_many", together / single
    return Row(
        what, rate(together), f"aw.later: {rate(single)}", f"{ratio:.1f} ×", f"{OVER_SINGLE:g} ×", ratio >= OVER_SINGLE
    )


def many(customers: Iterable[Customer]) -> None:
    aw.later_many(customer.assign_number for customer in customers)


def each(customers: Iterable[Customer]) -> None:
    for customer in customers:
        aw.later(customer.assign_number)


def seconds(place: Engine, count: int, ask: Callable[[Iterable[Customer]], object]) -> float:
    """Return the seconds of asking and the commit. Loading the customers does not count."""
    engine = create_engine(place.url)
    with Session(engine) as session:
        customers = session.scalars(select(Customer).limit(count)).all()
        began = time.perf_counter()
        ask(customers)
        session.commit()
        taken = time.perf_counter() - began
    engine.dispose()
    return taken
