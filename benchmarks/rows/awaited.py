"""The time and memory of many `async def` runs that wait at the same time."""

import threading
import time
from statistics import median

from sqlalchemy import Engine, insert

import afterwork as aw
from afterwork.events import Event, Ran
from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK
from benchmarks.support.model import Base, SysAsyncTicket
from benchmarks.support.place import Kind, add_customers, fresh_place
from benchmarks.support.process import resident_mb
from benchmarks.support.table import Row

COUNT = 200
WAIT_SECONDS = 1.0
MOST_SECONDS, MOST_MB = 1.5, 50.0
SAMPLE_SECONDS = 0.1


def rows(bench: Bench, kind: Kind) -> list[Row]:
    """Return the rows of one kind of database: the seconds from the commit to the last end, and the memory."""
    with fresh_place(kind, bench.server, 0) as place:
        AFTERWORK[kind].run(place, "setup")
        with place.engine.begin() as connection:
            add_customers(connection, COUNT)
        ended = _Ended()
        with aw.Afterwork(Base, on_event=ended).serving(place.engine):
            _all(place.engine, ended, 2)  # what is loaded and prepared at the first use
            runs = [_all(place.engine, ended, COUNT) for _ in range(bench.sizes.runs)]
    seconds, memory = median(took for took, _ in runs), max(more for _, more in runs)
    say(f"{COUNT} async runs, {kind}: {', '.join(f'{took:.2f} s' for took, _ in runs)}, {memory:.1f} MB more")
    what, each = f"{COUNT} async runs at once, {kind}", f"each waits {WAIT_SECONDS:g} s"
    return [
        Row(what, f"{seconds:.2f} s", each, f"{seconds:.2f} ×", f"at most {MOST_SECONDS:g} s", seconds <= MOST_SECONDS),
        Row(what, f"{memory:.1f} MB more", "before", "", f"at most {MOST_MB:.0f} MB", memory <= MOST_MB),
    ]


class _Ended:
    """Counts the runs that have ended."""

    def __init__(self) -> None:
        self.left = 0
        self.all = threading.Event()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Ran):
            self.left -= 1
            if self.left == 0:
                self.all.set()


def _all(engine: Engine, ended: _Ended, count: int) -> tuple[float, float]:
    """Return the seconds that so many runs take, and the memory that they need meanwhile, in MB."""
    tickets = [
        {"view_model": "Customer.wait", "lane": "parallel", "root_id": f"Customer!{n + 1}"} for n in range(count)
    ]
    ended.left, before = count, resident_mb()
    ended.all.clear()
    with engine.begin() as connection:
        connection.execute(insert(SysAsyncTicket), tickets)
    began, most = time.perf_counter(), before
    while not ended.all.wait(SAMPLE_SECONDS):
        most = max(most, resident_mb())
    return time.perf_counter() - began, most - before
