"""Writers at the same time, of which each misses what others have not committed: all values become right."""

import random
import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from afterwork.store.postgresql.database import CONTENDED
from tests.inversion.till import Till

WRITES = (
    "UPDATE line SET amount = amount + 1 WHERE id = {a}",
    "UPDATE line SET order_id = {b} WHERE id = {a}",
    "UPDATE orders SET customer_id = {c} WHERE id = {b}",
    "INSERT INTO line (id, order_id, amount) VALUES ({n}, {b}, {a})",
    "INSERT INTO orders (id, customer_id) VALUES ({n}, {c})",
    "INSERT INTO line (id, order_id, amount) VALUES ({n}, (SELECT max(id) FROM orders) + {c} - 1, {a})",
    "DELETE FROM line WHERE id = {a}",
    "UPDATE customer SET total = {a} WHERE id = {c}",
)


def write(till: Till, numbers: Sequence[int], seed: int) -> None:
    """Write some transactions; those that PostgreSQL ends for their own locks are given up."""
    chance = random.Random(seed)
    for number in numbers:
        try:
            with till.engine.execution_options(isolation_level=chance.choice(LEVELS)).begin() as connection:
                for _ in range(chance.randint(1, 3)):
                    a, b, c = chance.randint(1, 8), chance.randint(1, 5), chance.randint(1, 2)
                    statement = chance.choice(WRITES).format(a=a, b=b, c=c, n=f"{number}{chance.randint(100, 999)}")
                    connection.execute(text(statement))
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", "")
            if state not in {*CONTENDED, "23505"}:
                raise


LEVELS = ["READ COMMITTED", "READ COMMITTED", "REPEATABLE READ"]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("seed", range(3))
def test_whoever_writes_at_the_same_time_all_values_become_right(engine: Engine, seed: int) -> None:
    till = Till(engine)
    till.run()
    threads = [
        threading.Thread(target=write, args=(till, range(100 * place, 100 * place + 12), seed * 10 + place))
        for place in range(1, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    till.run()

    assert till.wrong == []
    assert till.noted == 0
