"""The changes per second that a server keeps up with, and its memory meanwhile."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.cache.bench import CacheBench, afterwork, bare_update, check_totals, shop_of, triggers
from benchmarks.cache.drivers.writer import TOGETHER
from benchmarks.cache.place import Shop, fresh_shop
from benchmarks.support.bench import say
from benchmarks.support.contestant import Contestant
from benchmarks.support.place import Kind
from benchmarks.support.process import resident_mb
from benchmarks.support.table import Row, rate

NEEDED: dict[Kind, float] = {"PostgreSQL": 20_000}
FLAT = 1.05


@dataclass
class Load:
    """What a sustained load has shown so far. `memory` has the server's megabytes after each slice."""

    changes: int = 0
    seconds: float = 0.0
    lag: float = 0.0
    memory: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The changes per second, until all totals were right."""
        return self.changes / self.seconds


def rows(bench: CacheBench, kind: Kind) -> list[Row]:
    """Yield the row of the rate, compared with triggers by hand and with nobody who keeps the totals, and that of the
    memory."""
    ours, other, alone = served(bench, kind), unserved(bench, triggers(kind)), unserved(bench, bare_update(kind))
    seconds = bench.sizes.slices * bench.sizes.slice_seconds
    subject = f"sustained for {seconds} s, {TOGETHER} lines a transaction, {kind}"
    mine = f"{rate(ours.rate)}, right after {ours.lag:.2f} s at most"
    needed = NEEDED.get(kind)
    first, last = ours.memory[0], ours.memory[-1]
    return [
        Row(
            subject,
            mine,
            f"triggers by hand: {rate(other.rate)}",
            f"{ours.rate / other.rate:.2f} ×",
            "(for comparison)" if needed is None else rate(needed),
            None if needed is None else ours.rate >= needed,
        ),
        Row(
            subject,
            mine,
            f"bare UPDATEs: {rate(alone.rate)}",
            f"{ours.rate / alone.rate:.2f} ×",
            "(for comparison)",
            None,
        ),
        Row(
            f"memory of the server meanwhile, {kind}",
            f"{last:.1f} MB at the end",
            f"after {bench.sizes.slice_seconds} s: {first:.1f} MB",
            f"{last / first:.3f} ×",
            f"flat: at most {FLAT} ×",
            last / first <= FLAT,
        ),
    ]


def served(bench: CacheBench, kind: Kind) -> Load:
    """Return the load that a server has kept up with."""
    contestant = afterwork(kind, "sql")
    with fresh_shop(kind, bench.server, bench.sizes.customers) as shop:
        contestant.run(shop, "setup")
        shop.settle()
        with contestant.working(shop) as server:
            server.check()
            return loaded(bench, contestant, shop, lambda: resident_mb(server.process.pid))


def unserved(bench: CacheBench, contestant: Contestant) -> Load:
    with shop_of(bench, contestant, bench.sizes.customers) as shop:
        return loaded(bench, contestant, shop, lambda: 0.0)


def loaded(bench: CacheBench, contestant: Contestant, shop: Shop, memory: Callable[[], float]) -> Load:
    """Let a contestant write in slices that follow each other at once."""
    load = Load()
    for turn in range(bench.sizes.slices):
        printed = contestant.run(shop, "sustained", shop.lines, bench.sizes.slice_seconds, turn)
        changes, seconds, lag = json.loads(printed)
        load.changes += int(changes)
        load.seconds += seconds
        load.lag = max(load.lag, lag)
        load.memory.append(memory())
        say(
            f"sustained, {contestant.kind}, {contestant.name}: {rate(changes / seconds)}, right after {lag:.2f} s,"
            f" {load.memory[-1]:.1f} MB"
        )
    check_totals(shop, contestant)
    return load
