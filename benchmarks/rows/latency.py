"""The time from the commit of a ticket to the commit of its work, on an idle server."""

from collections import defaultdict
from statistics import median

from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK, LOOP, ORM_LOOP, Contestant, Failed
from benchmarks.support.measure import Latency, latency
from benchmarks.support.place import Kind, NotAsAsked
from benchmarks.support.table import Row

OVER_LOOP = 1.5
SQLITE_LIMIT = 10.0
PEER_SAMPLES = 60
Latencies = dict[str, Latency]


def rows(bench: Bench, kind: Kind, found: Latencies) -> list[Row]:
    """Yield the row of one kind of database. Stores all times in `found`, by contestant."""
    ours, loop = AFTERWORK[kind], LOOP[kind]
    orm = [ORM_LOOP] if kind == "PostgreSQL" else []
    runs: dict[str, list[Latency]] = defaultdict(list)
    for contestant in bench.rounds([ours, loop, *orm]):
        runs[contestant.name].append(one(bench, contestant, bench.sizes.latencies))
    found.update({name: middle(all_of_it) for name, all_of_it in runs.items()})
    for peer in bench.peers_on(kind):
        try:
            found[peer.name] = one(bench, peer, PEER_SAMPLES)
        except (Failed, NotAsAsked) as error:
            bench.give_up(peer, error)
    main = row(kind, found[ours.name], loop.name, found[loop.name])
    return [main, *(comparison(main, found[ours.name], found[one.name]) for one in orm)]


def one(bench: Bench, contestant: Contestant, count: int) -> Latency:
    found = latency(contestant, bench.server, count)
    say(f"latency, {contestant.kind}, {contestant.name}: {shown(found)} ms")
    return found


def middle(runs: list[Latency]) -> Latency:
    return Latency(median(run.p50 for run in runs), median(run.p99 for run in runs))


def row(kind: Kind, ours: Latency, name: str, loop: Latency) -> Row:
    ratio = ours.p50 / loop.p50
    if kind == "PostgreSQL":
        needed, met = f"p50 at most {OVER_LOOP} × the loop", ratio <= OVER_LOOP
    else:
        needed, met = f"p50 at most {SQLITE_LIMIT:.0f} ms", ours.p50 <= SQLITE_LIMIT
    what = f"latency, {kind}, p50 / p99"
    return Row(what, f"{shown(ours)} ms", f"{name}: {shown(loop)} ms", f"{ratio:.2f} ×", needed, met)


def comparison(main: Row, ours: Latency, orm: Latency) -> Row:
    ratio = f"{ours.p50 / orm.p50:.2f} ×"
    return Row(main.what, f"{shown(ours)} ms", f"{ORM_LOOP.name}: {shown(orm)} ms", ratio, "(for comparison)", None)


def shown(times: Latency) -> str:
    return f"{times.p50:.2f} / {times.p99:.2f}"
