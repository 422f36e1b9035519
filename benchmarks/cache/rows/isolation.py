"""The number of writers at REPEATABLE READ that are refused because the server has written the same row."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import psycopg
from psycopg.errors import SerializationFailure
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.pool import NullPool

import afterwork as aw
from benchmarks.cache.bench import CacheBench
from benchmarks.support.bench import say
from benchmarks.support.postgres import fresh_database, text_of
from benchmarks.support.table import Row

ACCOUNTS = 10
WRITERS = 4
THINKING = 0.02
"""Seconds between the read of an account and the write of its name."""

BETWEEN_ENTRIES = 0.01


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Account(Base):
    """An account whose balance is a column of the row that users write."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    balance: Mapped[int] = mapped_column(server_default="0")
    entries: Mapped[list["Entry"]] = relationship()

    @aw.derived(balance)
    def compute_balance(self) -> int:
        return sum(entry.amount for entry in self.entries)


class Entry(Base):
    """An amount that belongs to an account of each kind."""

    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"), index=True)
    amount: Mapped[int]


class Owner(Base):
    """An account with its balance in a table of its own."""

    __tablename__ = "owner"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]


class Balance(Base):
    __tablename__ = "balance"
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"), primary_key=True)
    amount: Mapped[int] = mapped_column(server_default="0")
    entries: Mapped[list[Entry]] = relationship(
        primaryjoin="foreign(Entry.owner_id) == Balance.owner_id", viewonly=True
    )

    @aw.derived(amount)
    def compute_amount(self) -> int:
        return sum(entry.amount for entry in self.entries)


@dataclass
class Tries:
    """Transactions of all writers, and how many of them PostgreSQL refused."""

    made: int = 0
    refused: int = 0

    @property
    def share(self) -> float:
        return 100 * self.refused / self.made


def rows(bench: CacheBench) -> list[Row]:
    without = measured(bench, "account", served=False)
    same_row = measured(bench, "account", served=True)
    own_table = measured(bench, "owner", served=True)
    compared = f"no server: {shown(without)}"
    return [
        Row("REPEATABLE READ, refused: value in the written row", shown(same_row), compared, "-", "-", None),
        Row(
            "REPEATABLE READ, refused: value in a table of its own",
            shown(own_table),
            compared,
            "-",
            "none",
            own_table.refused == 0,
        ),
    ]


def shown(tries: Tries) -> str:
    return f"{tries.share:.1f} % of {tries.made:,}"


def measured(bench: CacheBench, table: str, *, served: bool) -> Tries:
    """Let writers read and write rows of a table, each its own, while entries are added."""
    with fresh_database(bench.server) as url:
        engine = create_engine(url.set(drivername="postgresql+psycopg"), poolclass=NullPool)
        Base.metadata.create_all(engine)
        app = aw.Afterwork(Base)
        app.install(engine)
        address = text_of(url)
        with psycopg.connect(address, autocommit=True) as connection:
            for name in ("account", "owner"):
                connection.execute(
                    f"INSERT INTO {name} (id, name) SELECT n, '' FROM generate_series(1, {ACCOUNTS}) n".encode()
                )
            connection.execute(b"INSERT INTO balance SELECT id, 0 FROM owner")
        app.run_until_idle(engine)
        with app.serving(engine) if served else nullcontext():
            tries = write(address, table, bench.sizes.writing)
    say(f"writers at REPEATABLE READ of {table}, {'served' if served else 'no server'}: {tries}")
    return tries


def write(address: str, table: str, seconds: float) -> Tries:
    tries, lock = Tries(), threading.Lock()
    end = time.monotonic() + seconds

    def writer(number: int) -> None:
        random_of_mine = random.Random(number)
        mine = [n for n in range(1, ACCOUNTS + 1) if n % WRITERS == number]
        with psycopg.connect(address) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            while time.monotonic() < end:
                refused = not renamed(connection, table, random_of_mine.choice(mine))
                with lock:
                    tries.made += 1
                    tries.refused += refused

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(WRITERS)]
    with adding_entries(address):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return tries


def renamed(connection: psycopg.Connection, table: str, number: int) -> bool:
    """Read a row, think, and write it. Returns False if PostgreSQL refuses that."""
    try:
        with connection.transaction():
            connection.execute(f"SELECT name FROM {table} WHERE id = %s".encode(), (number,))
            time.sleep(THINKING)
            connection.execute(f"UPDATE {table} SET name = clock_timestamp()::text WHERE id = %s".encode(), (number,))
    except SerializationFailure:
        return False
    return True


@contextmanager
def adding_entries(address: str) -> Iterator[None]:
    over = threading.Event()

    def add() -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            for n in range(1_000_000):
                if over.wait(BETWEEN_ENTRIES):
                    return
                number = n % ACCOUNTS + 1
                connection.execute(
                    "INSERT INTO entry (account_id, owner_id, amount) VALUES (%s, %s, 1)", (number, number)
                )

    thread = threading.Thread(target=add, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
