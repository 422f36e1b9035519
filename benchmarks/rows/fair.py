"""The cost of many lanes, of a failure and of a flood for tickets that have nothing to do with them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from sqlalchemy import Engine, func, insert, select

import afterwork as aw
from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK
from benchmarks.support.model import Base, SysAsyncTicket
from benchmarks.support.place import Kind, add_customers, fresh_place
from benchmarks.support.table import Row

COUNT = 1200
FLOOD = 10_000
SLICE_MS = 100.0
LATENCIES = 15


def rows(bench: Bench, kind: Kind) -> list[Row]:
    """Yield the rows of one kind of database."""
    with _place(bench, kind) as engine:
        one = _drained(engine, kind, lanes=1)
        found = [_over_lanes(engine, kind, lanes, one) for lanes in (100, 1200)]
        failing = _drained(engine, kind, lanes=1, failing=COUNT // 300)
        what, ratio = f"1 failing in 300 tickets, {kind}", f"{failing / one:.1f} ×"
        found.append(Row(what, f"{failing:.2f} s", f"none: {one:.2f} s", ratio, "(for comparison)", None))
        return [*found, _in_a_flood(engine, kind)]


@contextmanager
def _place(bench: Bench, kind: Kind) -> Iterator[Engine]:
    with fresh_place(kind, bench.server, 0) as place:
        AFTERWORK[kind].run(place, "setup")
        with place.engine.begin() as connection:
            add_customers(connection, COUNT)
        yield place.engine


def _over_lanes(engine: Engine, kind: Kind, lanes: int, one: float) -> Row:
    took = _drained(engine, kind, lanes)
    what = f"{COUNT:,} tickets in {lanes:,} lanes, {kind}"
    return Row(what, f"{took:.2f} s", f"in one: {one:.2f} s", f"{took / one:.1f} ×", "(for comparison)", None)


def _drained(engine: Engine, kind: Kind, lanes: int, failing: int = 0) -> float:
    """Return the seconds that a server takes for all tickets."""
    _ask(
        engine,
        [("Customer.fail" if n < failing else "Customer.touch", f"lane {n % lanes}", None) for n in range(COUNT)],
    )
    began = time.perf_counter()
    with aw.Afterwork(Base).serving(engine):
        _wait(engine, left=0)
    took = time.perf_counter() - began
    say(f"{COUNT:,} tickets, {lanes:,} lanes, {failing} failing, {kind}: {took:.2f} s")
    return took


def _in_a_flood(engine: Engine, kind: Kind) -> Row:
    with aw.Afterwork(Base).serving(engine):
        idle = _latency(engine)
        _ask(engine, [("Customer.touch", "parallel", None)] * FLOOD)
        flooded = _latency(engine)
    say(f"latency, idle and in a flood, {kind}: {idle:.1f} and {flooded:.1f} ms")
    most = 2 * idle + SLICE_MS
    what = f"a ticket of priority 1 while {FLOOD:,} parallel ones wait, {kind}"
    return Row(
        what,
        f"{flooded:.1f} ms",
        f"idle: {idle:.1f} ms",
        f"{flooded / idle:.1f} ×",
        f"at most {most:.0f} ms",
        flooded <= most,
    )


def _latency(engine: Engine) -> float:
    """Return the median milliseconds from the commit of a ticket of priority 1 to that of its end."""
    found = []
    for _ in range(LATENCIES):
        began = time.perf_counter()
        (key,) = _ask(engine, [("Customer.touch", "main", 1)])
        ended = select(SysAsyncTicket.done).where(SysAsyncTicket.id == key)
        while True:
            with engine.connect() as connection:
                if connection.execute(ended).scalar() is not None:
                    break
            time.sleep(0.001)
        found.append(1000 * (time.perf_counter() - began))
        time.sleep(0.05)
    return median(found)


def _ask(engine: Engine, wanted: list[tuple[str, str, int | None]]) -> list[int]:
    tickets = [
        {"view_model": work, "lane": lane, "priority": priority, "root_id": f"Customer!{n % COUNT + 1}"}
        for n, (work, lane, priority) in enumerate(wanted)
    ]
    with engine.begin() as connection:
        if len(tickets) == 1:
            return list(connection.execute(insert(SysAsyncTicket).returning(SysAsyncTicket.id), tickets).scalars())
        connection.execute(insert(SysAsyncTicket), tickets)
        return []


def _wait(engine: Engine, left: int) -> None:
    pending = select(func.count()).where(SysAsyncTicket.done.is_(None))
    while True:
        with engine.connect() as connection:
            if connection.execute(pending).scalar_one() <= left:
                return
        time.sleep(0.01)
