"""The time from one change of a line until its customer's total is right."""

import json
from collections import defaultdict
from contextlib import ExitStack
from statistics import median

from benchmarks.cache.bench import CacheBench, afterwork, afterwork_here, bare, shop_of
from benchmarks.support.bench import say
from benchmarks.support.contestant import Contestant, Failed
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

OVER_BARE = 1.5
Times = dict[str, float]


def python_rows(bench: CacheBench, kind: Kind, found: Times) -> list[Row]:
    """Yield the row of the job in Python, compared with the same job run by hand."""
    ours, here, by_hand = afterwork(kind, "python"), afterwork_here(kind), bare(kind)
    times = measure(bench, [ours, here, by_hand], found)
    job = "job in Python"
    return [
        row(kind, job, times[ours.name], times[by_hand.name], f"at most {OVER_BARE} × the bare job"),
        row(kind, f"{job}, by run_until_idle", times[here.name], times[by_hand.name], "(for comparison)"),
    ]


def row(kind: Kind, job: str, ours: float, by_hand: float, needed: str) -> Row:
    ratio = ours / by_hand
    met = None if needed.startswith("(") else ratio <= OVER_BARE
    return Row(what(kind, job), f"{ours:.2f} ms", f"bare job: {by_hand:.2f} ms", f"{ratio:.2f} ×", needed, met)


def sql_rows(bench: CacheBench, kind: Kind, found: Times) -> list[Row]:
    """Yield the row of the job with its SQL side, compared with the peers."""
    ours = afterwork(kind, "sql")
    times = measure(bench, [ours, *bench.peers_on(kind)], found)
    mine = times[ours.name]
    best = min(bench.peers_on(kind), key=lambda peer: times[peer.name], default=None)
    if best is None:
        other, ratio, met = "peers: not measured (--peers)", "-", None
    else:
        other, ratio = f"{best.name}: {times[best.name]:.2f} ms", f"{mine / times[best.name]:.2f} ×"
        met = mine < times[best.name]
    return [Row(what(kind, "job with its SQL side"), f"{mine:.2f} ms", other, ratio, "faster than each peer", met)]


def what(kind: Kind, job: str) -> str:
    return f"one change until the total is right, {job}, {kind}"


def measure(bench: CacheBench, contestants: list[Contestant], found: Times) -> Times:
    """Return the median milliseconds of each contestant that did not fail. Also stores them in `found`."""
    runs: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        shops = {one.name: stack.enter_context(shop_of(bench, one, bench.sizes.customers)) for one in contestants}
        for turn, contestant in enumerate(bench.rounds(contestants)):
            shop = shops[contestant.name]
            try:
                taken = json.loads(contestant.run(shop, "changes", shop.lines, bench.sizes.changes, turn))
                shop.check_totals(contestant.name)
            except Failed as error:
                bench.give_up(contestant, error)
            else:
                runs[contestant.name].append(median(taken) * 1000)
                say(f"one change, {contestant.kind}, {contestant.name}: {runs[contestant.name][-1]:.2f} ms")
    times = {name: median(all_of_it) for name, all_of_it in runs.items() if name not in bench.failed}
    found.update(times)
    return times
