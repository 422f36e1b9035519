"""The rate at which one server drains waiting jobs."""

from collections import defaultdict
from statistics import median

from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK, BATCHES, LOOP, Contestant, Failed
from benchmarks.support.measure import drain_rate
from benchmarks.support.place import Kind, NotAsAsked
from benchmarks.support.table import Row, rate

OVER_BEST_PEER = {"PostgreSQL": 8.0, "SQLite": 4.0}
OVER_LOOP = {"PostgreSQL": 4.0}
OF_BATCHES = 0.8
Rates = dict[str, float]


def rows(bench: Bench, kind: Kind, found: Rates) -> list[Row]:
    """Yield the rows of one kind of database. Stores all rates in `found`, by contestant."""
    contestants = [AFTERWORK[kind], LOOP[kind], BATCHES[kind], *bench.peers_on(kind)]
    rates = measure(bench, contestants)
    found.update({contestant.name: rates[contestant.name] for contestant in contestants if contestant.name in rates})
    ours = rates[AFTERWORK[kind].name]
    best = max(bench.peers_on(kind), key=lambda peer: rates[peer.name], default=None)
    what = f"drain, {kind}, {bench.sizes.drain:,} tickets"
    loop, batches = LOOP[kind].name, BATCHES[kind].name
    return [
        against_peer(what, ours, best, rates, OVER_BEST_PEER[kind]),
        against_loop(what, ours, rates[loop], loop, OVER_LOOP.get(kind)),
        against_loop(what, ours, rates[batches], batches, OF_BATCHES),
    ]


def measure(bench: Bench, contestants: list[Contestant]) -> Rates:
    """Return the median rate of each contestant that did not fail."""
    rates: dict[str, list[float]] = defaultdict(list)
    for contestant in bench.rounds(contestants):
        try:
            found = drain_rate(contestant, bench.server, bench.sizes.drain)
        except (Failed, NotAsAsked) as error:
            bench.give_up(contestant, error)
        else:
            say(f"drain, {contestant.kind}, {contestant.name}: {rate(found)}")
            rates[contestant.name].append(found)
    return {name: median(all_of_it) for name, all_of_it in rates.items() if name not in bench.failed}


def against_peer(what: str, ours: float, best: Contestant | None, rates: Rates, needed: float) -> Row:
    if best is None:
        return Row(what, rate(ours), "peers: not measured (--peers)", "-", f"{needed:g} × the best peer", None)
    ratio = ours / rates[best.name]
    other = f"{best.name}: {rate(rates[best.name])}"
    return Row(what, rate(ours), other, f"{ratio:.1f} ×", f"{needed:g} × the best peer", ratio >= needed)


def against_loop(what: str, ours: float, loop: float, name: str, needed: float | None) -> Row:
    ratio = ours / loop
    wanted = "(for comparison)" if needed is None else f"{needed:g} × {name}"
    met = None if needed is None else ratio >= needed
    return Row(what, rate(ours), f"{name}: {rate(loop)}", f"{ratio:.2f} ×", wanted, met)
