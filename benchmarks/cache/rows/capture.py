"""The cost of capture for writers: statements on one table with its triggers and without, alternating."""

import time
from collections.abc import Callable
from statistics import median

from sqlalchemy import MetaData, create_engine
from sqlalchemy.orm import DeclarativeBase

import afterwork as aw
from benchmarks.cache.bench import CacheBench
from benchmarks.cache.drivers.raw import Raw
from benchmarks.cache.model import Base
from benchmarks.cache.place import fresh_shop
from benchmarks.cache.sets import summing
from benchmarks.cache.trigger_switch import FIRST_NEW, TriggerSwitch
from benchmarks.support.bench import say
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

JOURNALED = 1.3
IN_SETS = 1.25
ROUTES = (1, 8)
"""The numbers of values in sets that an UPDATE touches, each by a route of its own."""

BULK = 10_000
SINGLE = 100
"""Statements in a block of single rows, each a transaction."""

PLACES = 5
"""The number of parts of the table that consecutive blocks take."""

WARM_UP = -1
"""The turn of the warm-up block, which is not measured."""

Work = Callable[[Raw, int], object]


def rows(bench: CacheBench) -> list[Row]:
    """Yield the rows of a job in Python, whose changes are journaled, on PostgreSQL."""
    return measured(bench, "PostgreSQL", Base, WORKS, "captured", JOURNALED)


def rows_in_sets(bench: CacheBench, kind: Kind) -> list[Row]:
    """Yield the rows of values in sets, whose changes are touches."""
    return [
        row
        for routes in ROUTES
        for row in measured(
            bench, kind, summing(totals=routes), UPDATES, f"{routes} route{'s' if routes > 1 else ''}", IN_SETS
        )
    ]


def measured(
    bench: CacheBench, kind: Kind, model: type[DeclarativeBase], works: dict[str, Work], how: str, needed: float
) -> list[Row]:
    """Yield the rows of a model, without a server that would take meanwhile what is captured."""
    tables: MetaData = model.metadata
    with fresh_shop(kind, bench.server, bench.sizes.customers, tables) as shop:
        engine = create_engine(shop.engine.url)
        aw.Afterwork(model).install(engine)
        engine.dispose()
        raw = Raw(shop.address)
        switch = TriggerSwitch.of(raw)
        found = [
            row(switch, work, f"{name}, {how}, {kind}", bench.sizes.blocks, needed) for name, work in works.items()
        ]
        raw.connection.close()
    return found


def row(switch: TriggerSwitch, work: Work, name: str, blocks: int, needed: float) -> Row:
    with_it, without = measure(switch, work, blocks)
    ratio = with_it / without
    say(f"{name}: {with_it:.2f} ms with capture, {without:.2f} ms without, {ratio:.2f} ×")
    mine, other = f"{with_it:.2f} ms", f"without: {without:.2f} ms"
    return Row(name, mine, other, f"{ratio:.2f} ×", f"at most {needed} ×", ratio <= needed)


def measure(switch: TriggerSwitch, work: Work, blocks: int) -> tuple[float, float]:
    """Return the median milliseconds of a block with the triggers and without, of alternating blocks."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(blocks + 1):
        for side, captured in enumerate((True, False) if turn % 2 else (False, True)):
            switch.turn(on=captured)
            switch.settle()
            work(switch.raw, WARM_UP)  # so that the plans are there
            taken[captured].append(timed(work, switch.raw, 2 * turn + side))
    return median(taken[True][1:]) * 1000, median(taken[False][1:]) * 1000


def timed(work: Work, raw: Raw, turn: int) -> float:
    began = time.perf_counter()
    work(raw, turn)
    return time.perf_counter() - began


def update_spread(raw: Raw, turn: int) -> None:
    """Return an UPDATE as in the row `bulk`: it reads the whole table and changes a few lines of each page, which has
    room."""
    raw(
        "UPDATE line SET quantity = quantity + 1 WHERE mod(id, (SELECT max(id) / %s FROM line)) = %s", BULK, place(turn)
    )


def update_together(raw: Raw, turn: int) -> None:
    """Return an UPDATE that reads only the lines that it changes, which lie side by side; all indexes get new
    entries."""
    start = 1 + place(turn) * BULK
    raw("UPDATE line SET quantity = quantity + 1 WHERE id >= %s AND id < %s", start, start + BULK)


def single_updates(raw: Raw, turn: int) -> None:
    start = 1 + place(turn) * BULK
    for line in range(start, start + SINGLE):
        raw("UPDATE line SET quantity = quantity + 1 WHERE id = %s", line)


def single_updates_apart(raw: Raw, turn: int) -> None:
    """Change lines of different orders, so that each has its own touch."""
    start = 1 + place(turn) * BULK
    for line in range(start, start + BULK, BULK // SINGLE):
        raw("UPDATE line SET quantity = quantity + 1 WHERE id = %s", line)


def bulk_insert(raw: Raw, turn: int) -> None:
    raw(f"INSERT INTO line SELECT %s + n, 1 + mod(n, 1000), 1, 1.25 FROM generate_series(1, {BULK}) AS n", new(turn))


def single_inserts(raw: Raw, turn: int) -> None:
    for line in range(SINGLE):
        raw("INSERT INTO line VALUES (%s, %s, 1, 1.25)", new(turn) + line, 1 + line)


def place(turn: int) -> int:
    """Return the part of the table for a turn. The warm-up has one of its own."""
    return 0 if turn == WARM_UP else 1 + turn % (PLACES - 1)


def new(turn: int) -> int:
    """Return the first key of the lines inserted in a turn."""
    return FIRST_NEW + (turn + 1) * BULK


WORKS: dict[str, Work] = {
    f"bulk UPDATE of {BULK:,} lines": update_spread,
    f"bulk UPDATE of {BULK:,} lines in a row": update_together,
    f"bulk INSERT of {BULK:,} lines": bulk_insert,
    f"{SINGLE} UPDATEs of single lines": single_updates,
    f"{SINGLE} INSERTs of single lines": single_inserts,
}

UPDATES: dict[str, Work] = {
    f"bulk UPDATE of {BULK:,} lines": update_spread,
    f"{SINGLE} UPDATEs of single lines": single_updates_apart,
}
