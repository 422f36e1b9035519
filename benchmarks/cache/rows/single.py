"""The time from one change of a line until its customer's total is right."""

import json
from collections import defaultdict
from contextlib import ExitStack
from statistics import median

from benchmarks.cache.bench import (
    CacheBench,
    afterwork,
    afterwork_here,
    bare,
    by_hand,
    check_totals,
    shop_of,
)
from benchmarks.support.bench import say
from benchmarks.support.contestant import Contestant, Failed
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

OVER_BARE = 1.4
OVER_SIGNALS: dict[Kind, float] = {"PostgreSQL": 2.5, "SQLite": 5.0}
Times = dict[str, float]


def python_rows(bench: CacheBench, kind: Kind, known: Times) -> list[Row]:
    """Yield the row of the job in Python, compared with the same job run by hand."""
    ours, here, alone = afterwork(kind, "python"), afterwork_here(kind), bare(kind)
    times = measure(bench, [ours, here, alone], known)
    job = "job in Python"
    needed = f"at most {OVER_BARE} × the bare job"
    ratio = times[ours.name] / times[alone.name]
    return [
        compared(what(kind, job), times[ours.name], alone.name, times[alone.name], needed, ratio <= OVER_BARE),
        compared(what(kind, f"{job}, by run_until_idle"), times[here.name], alone.name, times[alone.name]),
    ]


def sql_rows(bench: CacheBench, kind: Kind, known: Times) -> list[Row]:
    """Yield the rows of the job with its SQL side, compared with SQL by hand and with signals."""
    ours, alone = afterwork(kind, "sql"), by_hand(kind)
    times = measure(bench, [ours, alone, *bench.peers_on(kind)], known)
    subject, mine = what(kind, "job with its SQL side"), times[ours.name]
    return [
        compared(subject, mine, alone.name, times[alone.name]),
        against_signals(bench, kind, subject, mine, times, OVER_SIGNALS[kind]),
    ]


def what(kind: Kind, job: str) -> str:
    return f"one change until the total is right, {job}, {kind}"


def compared(
    subject: str, mine: float, name: str, other: float, needed: str = "(for comparison)", met: bool | None = None
) -> Row:
    """Return the row of a time in milliseconds and of another one."""
    return Row(subject, f"{mine:.2f} ms", f"{name}: {other:.2f} ms", f"{mine / other:.2f} ×", needed, met)


def against_signals(bench: CacheBench, kind: Kind, subject: str, mine: float, times: Times, factor: float) -> Row:
    """Return the row of a time in milliseconds and of that of Django's signals, which is to be longer by a factor."""
    needed = f"{factor:g} × faster than signals"
    peer = next((peer for peer in bench.peers_on(kind) if peer.name.startswith("Signals")), None)
    if peer is None:
        return Row(subject, f"{mine:.2f} ms", "peers: not measured (--peers)", "-", needed, None)
    ratio = times[peer.name] / mine
    return Row(
        subject, f"{mine:.2f} ms", f"{peer.name}: {times[peer.name]:.2f} ms", f"{ratio:.1f} ×", needed, ratio >= factor
    )


def measure(bench: CacheBench, contestants: list[Contestant], known: Times) -> Times:
    """Return the median milliseconds of each contestant that did not fail. Also stores them in `known`."""
    runs: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        shops = {one.name: stack.enter_context(shop_of(bench, one, bench.sizes.customers)) for one in contestants}
        for turn, contestant in enumerate(bench.rounds(contestants)):
            shop = shops[contestant.name]
            try:
                taken = json.loads(contestant.run(shop, "changes", shop.lines, bench.sizes.changes, turn))
                check_totals(shop, contestant)
            except Failed as error:
                bench.give_up(contestant, error)
            else:
                runs[contestant.name].append(median(taken) * 1000)
                say(f"one change, {contestant.kind}, {contestant.name}: {runs[contestant.name][-1]:.2f} ms")
    times = {name: median(all_of_it) for name, all_of_it in runs.items() if name not in bench.failed}
    known.update(times)
    return times
