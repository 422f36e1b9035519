"""The commands of a contestant's driver: each is a process of its own, and prints its measurements.

This file and the drivers of the peers run in the peers' own environments, so they import nothing of Afterwork.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable

ORDERS, LINES = 50, 5
"""The numbers of orders per customer, and of lines per order."""

PAUSE = (0.02, 0.04)
"""The bounds of the random seconds between two changes, so that they don't synchronise with a poll."""

WARM_UP = 10


class Driver:
    """One contestant on a loaded database."""

    def __init__(self, database: str) -> None:
        self.database = database

    def change(self, line: int, quantity: int) -> float:
        """Change one line. Returns the seconds until the change was committed and its customer's total right."""
        raise NotImplementedError

    def changes(self, lines: int, number: int, turn: int) -> list[float]:
        """Return the seconds of single changes. No two turns give a line the same quantity."""
        chance = random.Random(turn)
        taken = []
        for step, line in enumerate(chance.sample(range(1, lines + 1), WARM_UP + number)):
            time.sleep(chance.uniform(*PAUSE))
            taken.append(self.change(line, 1000 * (turn + 1) + step))
        return taken[WARM_UP:]

    def together(self, rounds: int, change: Callable[[int, int], object], until_quiet: Callable[[], bool]) -> int:
        """Let two writers repeatedly change two lines of customer 1 at once. Returns the number of rounds after which
        the total was wrong."""
        start, end = threading.Barrier(3), threading.Barrier(3)

        def write(first_line: int) -> None:
            for turn in range(rounds):
                start.wait()
                change(first_line + turn, 300 + turn + first_line)
                end.wait()

        half = ORDERS * LINES // 2
        writers = [threading.Thread(target=write, args=(line,), daemon=True) for line in (1, half + 1)]
        wrong = 0
        for writer in writers:
            writer.start()
        for _ in range(rounds):
            start.wait()
            end.wait()
            wrong += not until_quiet()
        return wrong


def main(make: Callable[[str], Driver]) -> None:
    """`driver COMMAND DATABASE [NUMBER...]`: a libpq URL, or the path of a SQLite file."""
    command, database, *numbers = sys.argv[1:]
    print(json.dumps(getattr(make(database), command)(*map(int, numbers))), flush=True)


def customer_of(line: int) -> int:
    return (line - 1) // (ORDERS * LINES) + 1
