"""The time from a bulk update by raw SQL until all totals are right."""

import json
from collections import defaultdict
from contextlib import ExitStack
from statistics import median

from benchmarks.cache.bench import CacheBench, afterwork, shop_of
from benchmarks.support.bench import say
from benchmarks.support.contestant import Contestant, Failed
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

OVER_PEER = 5.0
UPDATED = 10_000
Bulks = dict[str, tuple[float, float]]
"""By contestant, the seconds of the statement, and the seconds from its begin until all totals are right."""


def rows(bench: CacheBench, kind: Kind, found: Bulks) -> list[Row]:
    """Yield the row. Afterwork's whole time is compared with that of the peer's refresh alone, which somebody has to
    request."""
    ours = afterwork(kind, "sql")
    peers = [peer for peer in bench.peers_on(kind) if peer.name.startswith("computedfields")]
    times = measure(bench, [ours, *peers])
    found.update(times)
    updated, whole = times[ours.name]
    refreshes = {peer.name: times[peer.name][1] - times[peer.name][0] for peer in peers if peer.name in times}
    what, mine = (
        f"bulk update of {UPDATED:,} lines until all totals are right, {kind}",
        f"{whole:.3f} s ({updated:.3f} s)",
    )
    needed = f"{OVER_PEER:g} × faster than its full refresh"
    if not refreshes:
        return [Row(what, mine, "peers: not measured (--peers)", "-", needed, None)]
    name, best = min(refreshes.items(), key=lambda item: item[1])
    ratio = best / whole
    return [Row(what, mine, f"{name}, refresh alone: {best:.3f} s", f"{ratio:.1f} ×", needed, ratio >= OVER_PEER)]


def measure(bench: CacheBench, contestants: list[Contestant]) -> Bulks:
    """Return the medians of each contestant that did not fail."""
    runs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with ExitStack() as stack:
        shops = {one.name: stack.enter_context(shop_of(bench, one, bench.sizes.customers)) for one in contestants}
        for contestant in bench.rounds(contestants):
            shop = shops[contestant.name]
            shop.settle()
            try:
                updated, whole = json.loads(contestant.run(shop, "bulk", shop.lines // UPDATED))
                shop.check_totals(contestant.name)
            except Failed as error:
                bench.give_up(contestant, error)
            else:
                runs[contestant.name].append((updated, whole))
                say(
                    f"bulk update, {contestant.kind}, {contestant.name}: {updated:.3f} s, all right after {whole:.3f} s"
                )
    return {
        name: (median(run[0] for run in all_of_it), median(run[1] for run in all_of_it))
        for name, all_of_it in runs.items()
        if name not in bench.failed
    }
