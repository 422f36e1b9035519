"""The drain of a method with a function for many, compared with the same method one by one."""

from dataclasses import replace
from statistics import median

from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK
from benchmarks.support.measure import drain_rate
from benchmarks.support.place import Kind
from benchmarks.support.table import Row, rate

OVER_PLAIN = 3.0


def rows(bench: Bench, kind: Kind) -> list[Row]:
    """Return the rows: compared with a SELECT for each customer, and with the method of the drain, which needs none."""
    plain = replace(AFTERWORK[kind], module="benchmarks.drivers.many")
    ways = {"many": replace(plain, environment={"MANY": "1"}), "a SELECT each": plain, "no SELECT": AFTERWORK[kind]}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(bench.sizes.runs):
        for way, contestant in ways.items():
            rates[way].append(drain_rate(contestant, bench.server, bench.sizes.drain))
            say(f"drain, {way}, {kind}: {rate(rates[way][-1])}")
    together, one_by_one, without = (median(rates[way]) for way in ways)
    what, ratio = f"drain, many at once, {kind}, {bench.sizes.drain:,} tickets", together / one_by_one
    others = f"a SELECT each: {rate(one_by_one)}", f"no SELECT: {rate(without)}"
    return [
        Row(what, rate(together), others[0], f"{ratio:.1f} ×", f"{OVER_PLAIN:g} × one by one", ratio >= OVER_PLAIN),
        Row(what, rate(together), others[1], f"{together / without:.1f} ×", "(for comparison)", None),
    ]
