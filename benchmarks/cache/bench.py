"""The common context of all rows of the benchmark of caches, and the contestants."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import MetaData

from benchmarks.cache.model import Base
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
    objects: int = 1_000_000
    slices: int = 6
    slice_seconds: int = 10


QUICK = Sizes(
    customers=200,
    changes=30,
    races=20,
    load_rounds=6,
    blocks=7,
    tracked=8,
    manifests=(1000, 10_000, 100_000),
    writing=4,
    objects=50_000,
    slices=3,
    slice_seconds=4,
)

CacheBench = Bench[Sizes]
Says = Literal["python", "sql"]


@dataclass(frozen=True)
class ShopContestant(Contestant):
    """A contestant of the project's own, which prepares its database. It may have a server, and may leave totals
    wrong."""

    is_served: bool = False
    keeps_totals: bool = True


def afterwork(kind: Kind, says: Says) -> Contestant:
    """Return Afterwork with the job in Python only, or also in SQL."""
    name = "Afterwork" if says == "python" else "Afterwork, SQL side"
    return ours(name, "afterwork", kind, is_served=True, SAYS=says)


def afterwork_here(kind: Kind) -> Contestant:
    """Return the same without a server: the writer of a line calls `run_until_idle` in the same thread."""
    return ours("Afterwork, run_until_idle", "afterwork", kind, SAYS="python", HERE="yes")


def afterwork_on_levels(kind: Kind, levels: int) -> Contestant:
    """Return Afterwork with a chain of expressions."""
    name = f"Afterwork, {levels} level{'s' if levels > 1 else ''}"
    return ours(name, "afterwork", kind, is_served=True, LEVELS=str(levels))


def at_commit(kind: Kind) -> Contestant:
    """Return Afterwork with a total that each transaction computes as it commits."""
    return ours("Afterwork, at commit", "at_commit", kind)


def bare(kind: Kind) -> Contestant:
    """Return the same job as Afterwork's, run by hand."""
    return ours("bare job", "bare", kind)


def bare_update(kind: Kind) -> Contestant:
    """Return a writer whose totals nobody keeps."""
    return ours("bare UPDATE", "writer", kind, keeps_totals=False)


def by_hand(kind: Kind, levels: int = 1) -> Contestant:
    """Return a writer that recomputes all totals itself, by SQL."""
    name = "SQL by hand" if levels == 1 else f"SQL by hand, {levels} levels"
    return ours(name, "by_hand", kind, LEVELS=str(levels))


def triggers(kind: Kind) -> Contestant:
    """Return a writer whose totals are kept by triggers that add the differences."""
    return ours("triggers by hand", "triggers", kind)


def ours(
    name: str, driver: str, kind: Kind, *, is_served: bool = False, keeps_totals: bool = True, **environment: str
) -> ShopContestant:
    module = f"benchmarks.cache.drivers.{driver}"
    return ShopContestant(name, module, kind, environment=environment, is_served=is_served, keeps_totals=keeps_totals)


@contextmanager
def shop_of(
    bench: CacheBench, contestant: Contestant, customers: int, tables: MetaData = Base.metadata
) -> Iterator[Shop]:
    """Yield a database for one contestant, prepared by it. Its server runs if it has one."""
    with ExitStack() as stack:
        shop = stack.enter_context(fresh_shop(contestant.kind, bench.server, customers, tables))
        if isinstance(contestant, ShopContestant):
            contestant.run(shop, "setup")
            shop.settle()
            if contestant.is_served:
                stack.enter_context(contestant.working(shop)).check()
        yield shop


def check_totals(shop: Shop, contestant: Contestant) -> None:
    """Raise `Failed` if a total is wrong that a contestant keeps."""
    if not isinstance(contestant, ShopContestant) or contestant.keeps_totals:
        shop.check_totals(contestant.name)
