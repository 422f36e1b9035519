"""Afterwork itself: a server in a process of its own, and changes by raw SQL in another. With `SAYS=sql` in the
environment, the job has its SQL side; with `LEVELS`, it is a chain of expressions. With `HERE`, no server runs, and
`run_until_idle` is called."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase

import afterwork as aw
from benchmarks.cache.drivers.driver import customer_of, main
from benchmarks.cache.drivers.raw import BULK, CHANGE, SUM, TOTAL, Raw, sqlalchemy_url
from benchmarks.cache.drivers.writer import Writer
from benchmarks.cache.model import Base, say_it_in_sql
from benchmarks.cache.place import WRONG
from benchmarks.cache.sets import summing

POLL = 0.0003
BULK_POLL = 0.002
STAYS = 0.05
PATIENCE = 30.0


class Afterwork(Writer):
    def __init__(self, database: str) -> None:
        super().__init__(database)
        self.engine = create_engine(sqlalchemy_url(database))
        self.app = aw.Afterwork(model())
        self.marks: list[Mark] = []

    def setup(self) -> None:
        """Install it, and backfill the cache of each customer."""
        self.app.install(self.engine)
        self.app.run_until_idle(self.engine)

    def work(self) -> None:
        self.app.serve(self.engine)

    def change(self, line: int, quantity: int) -> float:
        customer = customer_of(line)
        old, price = self.raw("SELECT quantity, price FROM line WHERE id = %s", line)[0]
        right = self.raw(TOTAL, customer)[0][0] + (quantity - old) * price
        began = time.perf_counter()
        self.raw(CHANGE, quantity, line)
        if "HERE" in os.environ:
            self.app.run_until_idle(self.engine)
        wait_until(lambda: self.raw(TOTAL, customer)[0][0] == right, POLL)
        return time.perf_counter() - began

    def bulk(self, step: int) -> list[float]:
        """Change each line whose number `step` divides. Returns the seconds of the statement, and those until all
        totals are right."""
        (right,) = self.raw(
            "SELECT (SELECT sum(total) FROM customer) + (SELECT sum(price) FROM line WHERE mod(id, %s) = 0)", step
        )[0]
        began = time.perf_counter()
        self.raw(BULK, step)
        updated = time.perf_counter() - began
        wait_until(lambda: self.raw("SELECT sum(total) FROM customer")[0][0] == right, BULK_POLL)
        return [updated, time.perf_counter() - began]

    def keep_back(self) -> None:
        """Mark the end of a round, and wait for the mark of the one before."""
        self.marks.append(self.mark())
        if len(self.marks) > 1:
            self.wait_for(self.marks[-2])

    def finish(self) -> float:
        self.marks.append(self.mark())
        self.wait_for(self.marks[-1])
        wait_until(lambda: not self.raw(WRONG)[0][0], BULK_POLL)
        return max(mark.seconds for mark in self.marks if mark.seconds)

    def mark(self) -> "Mark":
        """Change a line of customer 1, which nobody else does. Its total is right after all that was changed before."""
        self.raw("UPDATE line SET quantity = quantity + 1 WHERE id = 1")
        return Mark(self.raw(SUM, 1)[0][0], time.perf_counter())

    def wait_for(self, mark: "Mark") -> None:
        wait_until(lambda: self.raw(TOTAL, 1)[0][0] >= mark.total, BULK_POLL)
        mark.seconds = time.perf_counter() - mark.written

    def race(self, rounds: int) -> int:
        """Let both write before either commits."""
        both = threading.Barrier(2)
        writers = threading.local()

        def change(line: int, quantity: int) -> None:
            if not hasattr(writers, "raw"):
                writers.raw = Raw(self.database)
            with writers.raw.connection.transaction():
                writers.raw(CHANGE, quantity, line)
                both.wait()

        return self.together(rounds, change, self.becomes_right)

    def becomes_right(self) -> bool:
        """Return whether the total of customer 1 becomes right, and stays so."""

        def is_right() -> bool:
            return bool(self.raw(TOTAL, 1)[0][0] == self.raw(SUM, 1)[0][0])

        try:
            wait_until(is_right, BULK_POLL)
        except TimeoutError:
            return False
        time.sleep(STAYS)
        return is_right()


@dataclass
class Mark:
    """A change in the stream of others: the total that it leads to, when it was written, and how long that took."""

    total: Any
    written: float
    seconds: float = 0.0


def model() -> type[DeclarativeBase]:
    """Return the model that the environment asks for."""
    if "LEVELS" in os.environ:
        return summing(int(os.environ["LEVELS"]))
    if os.environ.get("SAYS") == "sql":
        say_it_in_sql()
    return Base


def wait_until(done: Callable[[], bool], poll: float) -> None:
    """Wait for a condition. Raises `TimeoutError` if that takes too long."""
    until = time.perf_counter() + PATIENCE
    while not done():
        if time.perf_counter() > until:
            raise TimeoutError(f"not right after {PATIENCE:.0f} s")
        time.sleep(poll)


if __name__ == "__main__":
    main(Afterwork)
