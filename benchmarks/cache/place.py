"""A fresh database with customers, their orders and lines, and the check of all totals against a full recomputation."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, MetaData, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from benchmarks.cache.drivers.driver import LINES, ORDERS
from benchmarks.cache.model import Base
from benchmarks.support.contestant import Failed
from benchmarks.support.place import Kind, Place
from benchmarks.support.postgres import fresh_database, text_of

SERIES = "WITH RECURSIVE series(n) AS (SELECT 1 WHERE :count > 0 UNION ALL SELECT n + 1 FROM series WHERE n < :count)"
LOAD = (
    "INSERT INTO customer (id, name, total) {series} SELECT n, 'Customer ' || n, 0 FROM series",
    f"INSERT INTO customer_order (id, customer_id) {{series}} SELECT n, (n - 1) / {ORDERS} + 1 FROM series",
    "INSERT INTO line (id, order_id, quantity, price)"
    f" {{series}} SELECT n, (n - 1) / {LINES} + 1, 1 + n % 7, (1 + n % 97) * 1.25 FROM series",
)
TOTALS = (
    "SELECT o.customer_id AS id, sum(l.quantity * l.price) AS total"
    " FROM line l JOIN customer_order o ON o.id = l.order_id GROUP BY o.customer_id"
)
REFRESH = f"UPDATE customer SET total = truth.total FROM ({TOTALS}) AS truth WHERE truth.id = customer.id"
WRONG = (
    f"SELECT count(*) FROM customer c LEFT JOIN ({TOTALS}) AS truth ON truth.id = c.id"
    " WHERE c.total <> coalesce(truth.total, 0)"
)


@dataclass(frozen=True)
class Shop(Place):
    """One database with `customers` customers, each with 50 orders of 5 lines."""

    customers: int = 0

    @property
    def lines(self) -> int:
        return self.customers * ORDERS * LINES

    def execute(self, statement: str, **parameters: object) -> None:
        """Execute one statement in a transaction of its own."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), parameters)

    def number(self, query: str, **parameters: object) -> float:
        """Return the single number of a query."""
        with self.engine.connect() as connection:
            return float(connection.execute(text(query), parameters).scalar_one() or 0)

    def wrong(self) -> int:
        """Count the customers whose total differs from a full recomputation."""
        return int(self.number(WRONG))

    def check_totals(self, who: str) -> None:
        """Raise `Failed` if a total is wrong."""
        if wrong := self.wrong():
            raise Failed(f"{who} has left {wrong} wrong totals")


@contextmanager
def fresh_shop(kind: Kind, server: URL, customers: int, tables: MetaData = Base.metadata) -> Iterator[Shop]:
    """Yield a database in which all totals are right, and drop it at the end. `tables` are the model's, or have more
    columns."""
    with tempfile.TemporaryDirectory(prefix="afterwork-bench-") as name:
        folder = Path(name)
        if kind == "SQLite":
            path = folder / "shop.db"
            engine = create_engine(make_url(f"sqlite:///{path}"), poolclass=NullPool)
            yield _filled(Shop(kind, str(path), engine, folder, customers), tables)
        else:
            with fresh_database(server) as url:
                engine = create_engine(url.set(drivername="postgresql+psycopg"), poolclass=NullPool)
                yield _filled(Shop(kind, text_of(url), engine, folder, customers), tables)


def _filled(shop: Shop, tables: MetaData) -> Shop:
    if shop.kind == "SQLite":
        with shop.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    tables.create_all(shop.engine)
    with shop.engine.begin() as connection:
        load(connection, shop.customers)
    shop.settle()
    return shop


def load(connection: Connection, customers: int) -> None:
    """Insert all rows, by a statement for each table."""
    for statement, count in zip(LOAD, (customers, customers * ORDERS, customers * ORDERS * LINES), strict=True):
        connection.execute(text(statement.format(series=SERIES)), {"count": count})
    connection.execute(text(REFRESH))
