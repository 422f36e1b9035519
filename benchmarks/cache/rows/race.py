"""The number of wrong totals after two writers change two lines of one customer at the same time."""

import json

from benchmarks.cache.bench import CacheBench, afterwork, shop_of
from benchmarks.support.bench import say
from benchmarks.support.contestant import Contestant, Failed
from benchmarks.support.table import Row

Wrongs = dict[str, int]


def rows(bench: CacheBench, found: Wrongs) -> list[Row]:
    """Yield the row, on PostgreSQL only: SQLite lets them write one after the other."""
    ours = [afterwork("PostgreSQL", "python"), afterwork("PostgreSQL", "sql")]
    for contestant in [*ours, *bench.peers_on("PostgreSQL")]:
        try:
            found[contestant.name] = race(bench, contestant)
        except Failed as error:
            bench.give_up(contestant, error)
    others = ", ".join(f"{peer.name}: {found[peer.name]}" for peer in bench.peers_on("PostgreSQL"))
    return [
        Row(
            f"wrong totals after {bench.sizes.races} rounds of two writers, {one.name}",
            str(found[one.name]),
            others or "peers: not measured (--peers)",
            "-",
            "0",
            found[one.name] == 0,
        )
        for one in ours
    ]


def race(bench: CacheBench, contestant: Contestant) -> int:
    with shop_of(bench, contestant, bench.sizes.few) as shop:
        wrong = int(json.loads(contestant.run(shop, "race", bench.sizes.races)))
    say(f"two writers, {contestant.name}: {wrong} of {bench.sizes.races} rounds left a wrong total")
    return wrong
