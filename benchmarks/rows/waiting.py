"""The time that `aw.wait` takes from the commit of a ticket to its result, compared with the latency of the work."""

import random
import time
from datetime import timedelta
from statistics import median

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

import afterwork as aw
from benchmarks.drivers.driver import PAUSE
from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK
from benchmarks.support.measure import WARM_UP, Latency, moments
from benchmarks.support.model import Base, Customer
from benchmarks.support.place import Kind, fresh_place
from benchmarks.support.table import Row

OVER_PLAIN = 1.5
PATIENCE = timedelta(seconds=30)


def rows(bench: Bench, kind: Kind) -> list[Row]:
    """Return the row of one kind of database."""
    runs = [one(bench, kind) for _ in range(bench.sizes.runs)]
    waited, plain = (Latency(median(run[at].p50 for run in runs), median(run[at].p99 for run in runs)) for at in (0, 1))
    ratio, needed = waited.p50 / plain.p50, f"p50 at most {OVER_PLAIN} × the latency"
    what = f"wait, {kind}, p50 / p99"
    return [Row(what, shown(waited), f"latency: {shown(plain)}", f"{ratio:.2f} ×", needed, ratio <= OVER_PLAIN)]


def one(bench: Bench, kind: Kind) -> tuple[Latency, Latency]:
    """Return the times until waiting was over, and until the work itself was committed. Every second ticket is waited
    for, so that a disturbance hits both."""
    count = 2 * bench.sizes.latencies
    with fresh_place(kind, bench.server, WARM_UP + count) as place:
        Base.metadata.create_all(place.engine)
        AFTERWORK[kind].run(place, "setup")
        place.settle()
        log = place.folder / "latency.log"
        log.touch()
        engine = create_engine(place.engine.url)
        with AFTERWORK[kind].working(place, log) as worker:
            ask(engine, 1, WARM_UP)
            sent, waited = ask(engine, WARM_UP + 1, count)
            worker.wait_for(place, WARM_UP + count)
        engine.dispose()
        done = moments(log.read_text())
    plain = [done[customer] - sent[customer] for customer in sent if customer not in waited]
    found = latency_of([waited[customer] - sent[customer] for customer in waited]), latency_of(plain)
    say(f"wait, {kind}: {shown(found[0])}, latency: {shown(found[1])}")
    return found


def ask(engine: Engine, first: int, count: int) -> tuple[dict[int, float], dict[int, float]]:
    """Ask for numbers, one by one. Return when each was committed, and when waiting for every second one was over."""
    chance = random.Random(count)
    sent: dict[int, float] = {}
    waited: dict[int, float] = {}
    for customer in range(first, first + count):
        time.sleep(chance.uniform(*PAUSE))
        with Session(engine) as session:
            ticket = aw.later(session.get_one(Customer, customer).assign_number)
            session.commit()
            sent[customer] = time.time()
            if customer % 2:
                aw.wait(ticket, timeout=PATIENCE)
                waited[customer] = time.time()
    return sent, waited


def latency_of(seconds: list[float]) -> Latency:
    times = sorted(one * 1000 for one in seconds)
    return Latency(median(times), times[min(len(times) - 1, round(len(times) * 0.99))])


def shown(times: Latency) -> str:
    return f"{times.p50:.2f} / {times.p99:.2f} ms"
