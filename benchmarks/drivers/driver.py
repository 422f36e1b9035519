"""The commands of a contestant's driver, each a process of its own, and their protocol.

This file and the drivers of the peers run in the peers' own environments, so they import nothing of Afterwork.
"""

import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

NEXT_NUMBER = "UPDATE number_series SET last = last + 1 WHERE name = 'customer' RETURNING last"
ASSIGN = "UPDATE customer SET number = %s, at = %s WHERE id = %s"

PAUSE = (0.03, 0.06)
"""The bounds of the random seconds between two single jobs, so that they don't synchronise with a poll."""


class Driver(Protocol):
    """One contestant on one database, which already has the customers, numbered from 1."""

    def setup(self) -> None:
        """Create the contestant's own tables in a database that has only the customers."""

    def enqueue(self, count: int) -> None:
        """Ask for a number for each of the first customers, in the quickest way."""

    def send(self, customer: int) -> None:
        """Ask for a number for one customer; committed when it returns."""

    def work(self) -> None:
        """Give numbers until the process is ended."""


def main(make: Callable[[str], Driver]) -> None:
    """`driver COMMAND DATABASE [NUMBER...]`: a libpq URL, or the path of a SQLite file."""
    command, database, *numbers = sys.argv[1:]
    driver = make(database)
    match command:
        case "setup":
            driver.setup()
        case "enqueue":
            driver.enqueue(int(numbers[0]))
        case "send":
            send(driver, *map(int, numbers))
        case "work":
            driver.work()
        case _:
            raise SystemExit(f"unknown command {command}")


def send(driver: Driver, first: int, count: int) -> None:
    """Send jobs one by one, and print when each was committed."""
    chance = random.Random(count)
    for customer in range(first, first + count):
        time.sleep(chance.uniform(*PAUSE))
        driver.send(customer)
        print(customer, time.time(), flush=True)


class Log:
    """Return the file into which a worker writes the time after each commit, if the benchmark asks for it."""

    def __init__(self) -> None:
        path = os.environ.get("LATENCY_LOG")
        self._file = open(path, "a", buffering=1) if path else None  # noqa: SIM115

    def committed(self, customer: int, moment: float) -> None:
        if self._file is not None:
            self._file.write(f"{customer} {moment}\n")


log = Log()


def assign(connection: Any, customer: int) -> None:
    """Do the work on a psycopg connection in autocommit: a transaction with the two statements."""
    with connection.transaction():
        (number,) = connection.execute(NEXT_NUMBER).fetchone()
        connection.execute(ASSIGN, (number, time.time(), customer))
    log.committed(customer, time.time())


async def assign_async(pool: Any, customer: int) -> None:
    """Do the same on a pool of asynchronous psycopg connections."""
    async with pool.connection() as connection:
        async with connection.transaction():
            (number,) = await (await connection.execute(NEXT_NUMBER)).fetchone()
            await connection.execute(ASSIGN, (number, time.time(), customer))
        log.committed(customer, time.time())


def assign_sqlite(connection: Any, customer: int) -> None:
    """Do the same on a sqlite3 connection in autocommit."""
    connection.execute("BEGIN IMMEDIATE")
    (number,) = connection.execute(NEXT_NUMBER).fetchone()
    connection.execute(ASSIGN.replace("%s", "?"), (number, time.time(), customer))
    connection.execute("COMMIT")
    log.committed(customer, time.time())
