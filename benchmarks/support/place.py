"""A fresh database with customers who need numbers, and its checks after a measurement."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, Connection, Engine, Table, create_engine, func, insert, make_url, select
from sqlalchemy.pool import NullPool

from benchmarks.support.model import Base, Customer, NumberSeries
from benchmarks.support.postgres import fresh_database, text_of

Kind = Literal["PostgreSQL", "SQLite"]
SERIES = "customer"


class NotAsAsked(Exception):
    """The numbers are not 1 to N."""


@dataclass(frozen=True)
class Place:
    """One database. `address` is what drivers are given: a libpq URL, or the path of a SQLite file."""

    kind: Kind
    address: str
    engine: Engine
    folder: Path

    @property
    def name(self) -> str:
        return str(self.engine.url.database)

    def last_number(self) -> int:
        """Return the last number that was given."""
        with self.engine.connect() as connection:
            return connection.scalars(select(NumberSeries.last)).one()

    def settle(self) -> None:
        """Bring statistics and files to the same state before each measurement."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in SETTLE[self.kind]:
                connection.exec_driver_sql(statement)

    def check(self, count: int) -> None:
        """Raise `NotAsAsked` if the customers' numbers are not 1 to `count`, without gaps or duplicates."""
        number = Customer.number
        query = select(func.count(number), func.count(number.distinct()), func.min(number), func.max(number))
        with self.engine.connect() as connection:
            found = tuple(connection.execute(query).one())
        if found != (count, count, 1, count) or self.last_number() != count:
            raise NotAsAsked(f"{count} numbers were to be given; there are (all, different, first, last) {found}")

    def seconds_between_effects(self) -> float:
        """Return the time from the first effect to the last."""
        with self.engine.connect() as connection:
            return float(connection.execute(select(func.max(Customer.at) - func.min(Customer.at))).scalar_one() or 0.0)


SETTLE: dict[Kind, list[str]] = {
    "PostgreSQL": ["VACUUM ANALYZE", "CHECKPOINT"],
    "SQLite": ["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
}


@contextmanager
def fresh_place(kind: Kind, server: URL, customers: int) -> Iterator[Place]:
    """Yield a database that has only the customers and the series of their numbers, and drop it at the end."""
    with tempfile.TemporaryDirectory(prefix="afterwork-bench-") as name:
        folder = Path(name)
        if kind == "SQLite":
            path = folder / "shop.db"
            yield from _filled(kind, make_url(f"sqlite:///{path}"), str(path), folder, customers)
        else:
            with fresh_database(server) as url:
                yield from _filled(kind, url.set(drivername="postgresql+psycopg"), text_of(url), folder, customers)


def _filled(kind: Kind, url: URL, address: str, folder: Path, customers: int) -> Iterator[Place]:
    engine = create_engine(url, poolclass=NullPool)
    if kind == "SQLite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    Base.metadata.create_all(engine, tables=[table(Customer), table(NumberSeries)])
    with engine.begin() as connection:
        connection.execute(insert(NumberSeries).values(name=SERIES, last=0))
        add_customers(connection, customers)
    yield Place(kind, address, engine, folder)


def add_customers(connection: Connection, count: int) -> None:
    """Insert customers 1 to `count`."""
    if count:
        connection.execute(insert(Customer), [{"id": n, "name": f"Customer {n}"} for n in range(1, count + 1)])


def table(cls: type[Base]) -> Table:
    """Return the table of a class of the model."""
    found = cls.__table__
    assert isinstance(found, Table)
    return found
