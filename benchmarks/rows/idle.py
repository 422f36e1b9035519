"""The cost of a server that has nothing to do."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK, Worker
from benchmarks.support.place import Kind, Place, fresh_place
from benchmarks.support.postgres import count_statements, statements
from benchmarks.support.process import cpu_seconds
from benchmarks.support.table import Row

STATEMENTS_PER_MINUTE = 2.0
PERCENT_OF_A_CORE = 0.5
UNTIL_ASLEEP = 5.0


@dataclass
class IdleServer:
    """A server on PostgreSQL that sleeps while the other rows are measured, so that it is observed for minutes."""

    bench: Bench
    place: Place
    before: dict[str, int]
    since: float

    def row(self) -> Row:
        """Wait until it was observed long enough, and return its statements per minute."""
        left = self.bench.sizes.idle_statements - (time.monotonic() - self.since)
        if left > 0:
            say(f"watching an idle server for {left:.0f} s more")
            time.sleep(left)
        minutes = (time.monotonic() - self.since) / 60
        after = statements(self.bench.server, self.place.name)
        new = {query: calls - self.before.get(query, 0) for query, calls in after.items()}
        for query, calls in sorted(new.items(), key=lambda item: -item[1]):
            if calls:
                say(f"  idle server, {calls} × {' '.join(query.split())[:120]}")
        each = sum(new.values()) / minutes
        ours = f"{each:.2f} in {minutes:.1f} min"
        needed = f"at most {STATEMENTS_PER_MINUTE:g}"
        return Row("idle, PostgreSQL, statements per minute", ours, "-", "-", needed, each <= STATEMENTS_PER_MINUTE)


@contextmanager
def idle_server(bench: Bench) -> Iterator[IdleServer | None]:
    """Yield a sleeping server on PostgreSQL; None if the database does not count statements."""
    if not count_statements(bench.server):
        bench.notes.append("Statements of an idle server were not counted: PostgreSQL has no pg_stat_statements.")
        yield None
        return
    with sleeping(bench, "PostgreSQL") as (place, _):
        yield IdleServer(bench, place, statements(bench.server, place.name), time.monotonic())


@contextmanager
def sleeping(bench: Bench, kind: Kind) -> Iterator[tuple[Place, Worker]]:
    with fresh_place(kind, bench.server, 0) as place:
        AFTERWORK[kind].run(place, "setup")
        with AFTERWORK[kind].working(place) as worker:
            time.sleep(UNTIL_ASLEEP)
            worker.check()
            yield place, worker


def cpu_row(bench: Bench, kind: Kind) -> Row:
    """Return the share of a core that it takes."""
    with sleeping(bench, kind) as (_, worker):
        began, before = time.monotonic(), cpu_seconds(worker.process.pid)
        time.sleep(bench.sizes.idle_cpu)
        worker.check()
        percent = 100 * (cpu_seconds(worker.process.pid) - before) / (time.monotonic() - began)
    say(f"idle, {kind}: {percent:.3f} % of a core")
    needed = f"less than {PERCENT_OF_A_CORE} %" if kind == "SQLite" else "(for comparison)"
    met = percent < PERCENT_OF_A_CORE if kind == "SQLite" else None
    return Row(f"idle, {kind}, processor", f"{percent:.3f} % of a core", "-", "-", needed, met)
