"""The cost of capture for writers: statements on one table with its triggers and without, alternating."""

import time
from collections.abc import Callable, Mapping
from statistics import median

from sqlalchemy import create_engine

import afterwork as aw
from benchmarks.cache.bench import CacheBench
from benchmarks.cache.drivers.raw import Raw
from benchmarks.cache.model import Base
from benchmarks.cache.place import fresh_shop
from benchmarks.support.bench import say
from benchmarks.support.contestant import Failed
from benchmarks.support.table import Row

NEEDED = 1.3
BULK = 10_000
SINGLE = 100
"""Statements in a block of single rows, each a transaction."""

PLACES = 5
"""The number of parts of the table that consecutive blocks take."""

WARM_UP = -1
"""The turn of the warm-up block, which is not measured."""

TRIGGERS = (
    "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'line'::regclass AND NOT tgisinternal ORDER BY tgname"
)
ENABLED = {"O": "ENABLE TRIGGER", "A": "ENABLE ALWAYS TRIGGER"}
FIRST_NEW = 10_000_000
Work = Callable[[Raw, int], object]


def rows(bench: CacheBench) -> list[Row]:
    """Yield the rows, on PostgreSQL, without a server that would read the journal meanwhile."""
    with fresh_shop("PostgreSQL", bench.server, bench.sizes.customers) as shop:
        engine = create_engine(shop.engine.url)
        aw.Afterwork(Base).install(engine)
        engine.dispose()
        raw = Raw(shop.address)
        triggers = dict(raw(TRIGGERS))
        if not triggers:
            raise Failed("nothing was installed on the table")
        found = [row(raw, triggers, name, bench.sizes.blocks) for name in WORKS]
        raw.connection.close()
    return found


def row(raw: Raw, triggers: Mapping[str, str], name: str, blocks: int) -> Row:
    with_it, without = measure(raw, triggers, WORKS[name], blocks)
    say(f"{name}: {with_it:.2f} ms with capture, {without:.2f} ms without")
    ratio = with_it / without
    ours, other = f"{with_it:.2f} ms", f"without: {without:.2f} ms"
    return Row(f"{name}, captured, PostgreSQL", ours, other, f"{ratio:.2f} ×", f"at most {NEEDED} ×", ratio <= NEEDED)


def measure(raw: Raw, triggers: Mapping[str, str], work: Work, blocks: int) -> tuple[float, float]:
    """Return the median milliseconds of a block with the triggers and without, of alternating blocks."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(blocks + 1):
        for side, captured in enumerate((True, False) if turn % 2 else (False, True)):
            for name, enabled in triggers.items():
                raw(f'ALTER TABLE line {ENABLED[enabled] if captured else "DISABLE TRIGGER"} "{name}"')
            settle(raw)
            work(raw, WARM_UP)  # so that the plans are there
            taken[captured].append(timed(work, raw, 2 * turn + side))
    return median(taken[True][1:]) * 1000, median(taken[False][1:]) * 1000


def settle(raw: Raw) -> None:
    """Restore the state that each block starts from: no dead rows, and an empty journal."""
    raw(f"DELETE FROM line WHERE id >= {FIRST_NEW}")
    raw("TRUNCATE afterwork_journal")
    raw("VACUUM line")


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
