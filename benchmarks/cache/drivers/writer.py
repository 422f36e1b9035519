"""A program that writes with SQL and waits for nothing: its totals become wrong, unless somebody else keeps them."""

import json
import random
import time

from benchmarks.cache.drivers.driver import LINES, ORDERS, Driver, main
from benchmarks.cache.drivers.raw import CHANGE, Raw

TOGETHER = 100
"""Lines that a transaction of a sustained load changes, all over the table."""

ROUND = 100
"""Transactions after which a sustained writer looks whether it is too far ahead."""

SOME = {
    True: "UPDATE line SET quantity = quantity % 1000 + 1 WHERE id IN (SELECT value FROM json_each(?))",
    False: "UPDATE line SET quantity = mod(quantity, 1000) + 1 WHERE id = ANY(%s)",
}
"""The statement that changes many lines, by whether the database is SQLite."""


class Writer(Driver):
    def __init__(self, database: str) -> None:
        super().__init__(database)
        self.raw = Raw(database)

    def setup(self) -> None:
        """Prepare the database."""

    def change(self, line: int, quantity: int) -> float:
        began = time.perf_counter()
        self.raw(CHANGE, quantity, line)
        return time.perf_counter() - began

    def sustained(self, lines: int, seconds: int, turn: int) -> list[float]:
        """Change lines at random for some seconds, except those of customer 1. Returns the number of changes, the
        seconds until all totals were right, and the longest time for which a change waited for that."""
        chance, changed = random.Random(turn), 0
        some_lines = range(ORDERS * LINES + 1, lines + 1)
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            for _ in range(ROUND):
                self.change_some(chance.sample(some_lines, TOGETHER))
            changed += ROUND * TOGETHER
            self.keep_back()
        lag = self.finish()
        return [changed, time.perf_counter() - began, lag]

    def change_some(self, lines: list[int]) -> None:
        self.raw(SOME[self.raw.is_sqlite], json.dumps(lines) if self.raw.is_sqlite else lines)

    def keep_back(self) -> None:
        """Wait for whoever keeps the totals, if this is more than two rounds ahead."""

    def finish(self) -> float:
        """Wait until all totals are right. Returns the longest time in seconds that a change has waited for that."""
        return 0.0


if __name__ == "__main__":
    main(Writer)
