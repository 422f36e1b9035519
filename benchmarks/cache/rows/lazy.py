"""The number of queries in a run of a job that was written without a thought for loading."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session

import afterwork as aw
from benchmarks.cache.bench import CacheBench
from benchmarks.cache.drivers.bare import run
from benchmarks.cache.drivers.driver import LINES, ORDERS
from benchmarks.cache.model import Base
from benchmarks.cache.place import SERIES, fresh_shop
from benchmarks.support.bench import say
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

OF_THE_MODEL = re.compile(r"^\s*SELECT\b.*\b(FROM|JOIN)\s+(customer|customer_order|line)\b", re.DOTALL)

NEW = 1_000_001
"""The key of the added customer, and of its first order and line."""

ADD = (
    "INSERT INTO customer (id, name, total) {series} SELECT :first, 'New', 0 FROM series",
    "INSERT INTO customer_order (id, customer_id) {series} SELECT :first - 1 + n, :first FROM series",
    "INSERT INTO line (id, order_id, quantity, price)"
    f" {{series}} SELECT :first - 1 + n, :first + (n - 1) / {LINES}, 1, 1.25 FROM series",
)


def rows(bench: CacheBench, kind: Kind) -> list[Row]:
    """Yield the row of the first run on a customer, when its reads are unknown, and of another after a change."""
    with fresh_shop(kind, bench.server, bench.sizes.few) as shop:
        engine = create_engine(shop.engine.url)
        app = aw.Afterwork(Base)
        app.install(engine)
        app.run_until_idle(engine)
        with counting(engine) as by_hand, Session(engine) as session, session.begin():
            run(session, 1)
        for statement, count in zip(ADD, (1, ORDERS, ORDERS * LINES), strict=True):
            shop.execute(statement.format(series=SERIES), first=NEW, count=count)
        with counting(engine) as first:
            app.run_until_idle(engine)
        shop.execute("UPDATE line SET quantity = 1000 WHERE id = 1")
        with counting(engine) as again:
            app.run_until_idle(engine)
        shop.check_totals("Afterwork")
        engine.dispose()
    return [row(kind, "first run", first, by_hand), row(kind, "another run", again, by_hand)]


def row(kind: Kind, when: str, ours: list[str], by_hand: list[str]) -> Row:
    for query, times in Counter(ours).items():
        say(f"  {when}, {kind}, {times} × {' '.join(query.split())[:120]}")
    needed, met = "no more than eager loading", len(ours) <= len(by_hand)
    other = f"eager loading by hand: {len(by_hand)}"
    ratio = f"{len(ours) / len(by_hand):.2f} ×"
    return Row(f"queries of the job with lazy loops, {when}, {kind}", str(len(ours)), other, ratio, needed, met)


@contextmanager
def counting(engine: Engine) -> Iterator[list[str]]:
    """Collect the queries of the model's tables that are sent in the block."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if OF_THE_MODEL.search(statement) and "afterwork_" not in statement:
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
