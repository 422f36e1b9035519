"""The time from a bulk update by raw SQL until all totals are right."""

import json
from collections import defaultdict
from contextlib import ExitStack
from statistics import median

from sqlalchemy import MetaData

from benchmarks.cache.bench import CacheBench, afterwork, by_hand, shop_of
from benchmarks.cache.model import Base
from benchmarks.support.bench import say
from benchmarks.support.contestant import Contestant, Failed
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

OVER_PEER: dict[Kind, float] = {"PostgreSQL": 4.0, "SQLite": 3.0}
OVER_HAND = 1.7
UPDATED = 10_000
Bulks = dict[str, tuple[float, float]]
"""By contestant, the seconds of the statement, and the seconds from its begin until all totals are right."""


def rows(bench: CacheBench, kind: Kind, known: Bulks) -> list[Row]:
    """Yield the rows: Afterwork's whole time, compared with that of the same UPDATE and a recomputation by hand, and
    with that of the peer's refresh alone, which somebody has to request."""
    ours, alone = afterwork(kind, "sql"), by_hand(kind)
    peers = [peer for peer in bench.peers_on(kind) if peer.name.startswith("computedfields")]
    times = measure(bench, [ours, alone, *peers])
    known.update(times)
    updated, whole = times[ours.name]
    refreshes = {peer.name: times[peer.name][1] - times[peer.name][0] for peer in peers if peer.name in times}
    subject = f"bulk update of {UPDATED:,} lines until all totals are right, {kind}"
    mine = f"{whole:.3f} s ({updated:.3f} s)"
    needed = f"{OVER_PEER[kind]:g} × faster than its full refresh"
    against_hand = compared(subject, times[ours.name], alone.name, times[alone.name], OVER_HAND)
    if not refreshes:
        return [against_hand, Row(subject, mine, "peers: not measured (--peers)", "-", needed, None)]
    name, best = min(refreshes.items(), key=lambda item: item[1])
    ratio = best / whole
    other = f"{name}, refresh alone: {best:.3f} s"
    return [against_hand, Row(subject, mine, other, f"{ratio:.1f} ×", needed, ratio >= OVER_PEER[kind])]


def compared(
    subject: str, ours: tuple[float, float], name: str, other: tuple[float, float], most: float | None = None
) -> Row:
    """Return the row of two bulk updates, by the time until all is right."""
    ratio = ours[1] / other[1]
    return Row(
        subject,
        f"{ours[1]:.3f} s ({ours[0]:.3f} s)",
        f"{name}: {other[1]:.3f} s ({other[0]:.3f} s)",
        f"{ratio:.2f} ×",
        "(for comparison)" if most is None else f"at most {most} ×",
        None if most is None else ratio <= most,
    )


def measure(bench: CacheBench, contestants: list[Contestant], tables: MetaData = Base.metadata) -> Bulks:
    """Return the medians of each contestant that did not fail."""
    runs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with ExitStack() as stack:
        shops = {
            one.name: stack.enter_context(shop_of(bench, one, bench.sizes.customers, tables)) for one in contestants
        }
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
