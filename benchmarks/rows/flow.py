"""The drain of a fan-out with one join, compared with the same tickets in no flow."""

from dataclasses import replace
from statistics import median

from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK
from benchmarks.support.measure import drain_rate
from benchmarks.support.place import Kind
from benchmarks.support.table import Row, rate

OF_PLAIN = 0.5


def row(bench: Bench, kind: Kind) -> Row:
    plain = AFTERWORK[kind]
    ways = {"a fan-out with a join": replace(plain, module="benchmarks.drivers.flow"), "no flow": plain}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(bench.sizes.runs):
        for way, contestant in ways.items():
            rates[way].append(drain_rate(contestant, bench.server, bench.sizes.drain))
            say(f"drain, {way}, {kind}: {rate(rates[way][-1])}")
    joined, apart = (median(rates[way]) for way in ways)
    what, ratio = f"drain, a fan-out with a join, {kind}, {bench.sizes.drain:,} tickets", joined / apart
    return Row(
        what, rate(joined), f"no flow: {rate(apart)}", f"{ratio:.2f} ×", f"{OF_PLAIN:g} × no flow", ratio >= OF_PLAIN
    )
