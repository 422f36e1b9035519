"""The common context of all rows of the benchmark of caches, and the contestants."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from benchmarks.cache.place import Shop, fresh_shop
from benchmarks.support.bench import Bench
from benchmarks.support.contestant import Contestant
from benchmarks.support.peers import PSYCOPG, Peer
from benchmarks.support.place import Kind

DJANGO = "django==5.2.19"
COMPUTED = (DJANGO, "django-computedfields==0.3.6", "django-fast-update==0.3.0", PSYCOPG)
FAST = {"FASTUPDATE": "yes"}
DRIVERS = "benchmarks.cache.peers"

PEERS = (
    Peer("Signals", "Django", (DJANGO, PSYCOPG), drivers=DRIVERS),
    Peer("computedfields", "Django", COMPUTED, drivers=DRIVERS),
    Peer("computedfields", "FASTUPDATE", COMPUTED, drivers=DRIVERS, environment=FAST),
    Peer("Signals", "Django", (DJANGO, PSYCOPG), "SQLite", drivers=DRIVERS),
    Peer("computedfields", "Django", COMPUTED, "SQLite", drivers=DRIVERS),
    Peer("computedfields", "FASTUPDATE", COMPUTED, "SQLite", drivers=DRIVERS, environment=FAST),
)


@dataclass(frozen=True)
class Sizes:
    """The sizes of the measurements."""

    runs: int = 3
    customers: int = 1000
    few: int = 20
    changes: int = 100
    bulk: int = 10_000
    races: int = 60
    load_rounds: int = 40
    blocks: int = 15
    tracked: int = 20
    manifests: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    writing: int = 10


QUICK = Sizes(
    customers=200,
    changes=30,
    races=20,
    load_rounds=6,
    blocks=7,
    tracked=8,
    manifests=(1000, 10_000, 100_000),
    writing=4,
)

CacheBench = Bench[Sizes]
Says = Literal["python", "sql"]


def afterwork(kind: Kind, says: Says) -> Contestant:
    """Return Afterwork with the job in Python only, or also in SQL."""
    name = "Afterwork" if says == "python" else "Afterwork, SQL side"
    return Contestant(name, "benchmarks.cache.drivers.afterwork", kind, environment={"SAYS": says})


def afterwork_here(kind: Kind) -> Contestant:
    """Return the same without a server: the writer of a line calls `run_until_idle` in the same thread."""
    environment = {"SAYS": "python", "HERE": "yes"}
    return Contestant("Afterwork, run_until_idle", "benchmarks.cache.drivers.afterwork", kind, environment=environment)


def bare(kind: Kind) -> Contestant:
    return Contestant("bare job", "benchmarks.cache.drivers.bare", kind)


@contextmanager
def shop_of(bench: CacheBench, contestant: Contestant, customers: int) -> Iterator[Shop]:
    """Yield a database for one contestant. For Afterwork, its caches are backfilled, and its server runs if it has
    one."""
    with ExitStack() as stack:
        shop = stack.enter_context(fresh_shop(contestant.kind, bench.server, customers))
        if "SAYS" in contestant.environment:
            contestant.run(shop, "setup")
            shop.settle()
        if "SAYS" in contestant.environment and "HERE" not in contestant.environment:
            stack.enter_context(contestant.working(shop)).check()
        yield shop
