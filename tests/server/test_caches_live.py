"""Servers keep caches right while others write."""

import random
import threading
from contextlib import ExitStack

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

import afterwork as aw
from tests.conftest import Trade
from tests.support import trade
from tests.support.waiting import eventually

WRONG = """
SELECT (SELECT count(*) FROM orders o WHERE o.total <> coalesce(
           (SELECT sum(l.quantity * l.price) FROM line l WHERE l.order_id = o.id), 0))
     + (SELECT count(*) FROM customer c WHERE c.total <> coalesce(
           (SELECT sum(o.total) FROM orders o WHERE o.customer_id = c.id), 0))
     + (SELECT count(*) FROM customer c WHERE cast(c.total AS integer) / 100 <> (
           SELECT count(*) FROM badge b WHERE b.customer_id = c.id))
"""


def fill(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO customer (id, name, total, share, likes, overdue) VALUES "
                + ", ".join(f"({n}, 'c{n}', 0, 0, '', false)" for n in range(1, 6))
            )
        )
        connection.execute(
            text(
                "INSERT INTO orders (id, customer_id, total) VALUES "
                + ", ".join(f"({n}, {1 + n % 5}, 0)" for n in range(1, 21))
            )
        )
        connection.execute(
            text(
                "INSERT INTO line (id, order_id, quantity, price) VALUES "
                + ", ".join(f"({n}, {1 + n % 20}, {n % 7}, {n % 11})" for n in range(1, 61))
            )
        )


def _is_quiet(engine: Engine) -> bool:
    journal = "SELECT count(*) FROM afterwork_journal"
    stale = "SELECT count(*) FROM afterwork_due WHERE since IS NOT NULL"
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT ({journal}) + ({stale})")).scalar() == 0


def settled(engine: Engine) -> int:
    eventually(lambda: _is_quiet(engine), within=40)
    with engine.connect() as connection:
        return int(connection.execute(text(WRONG)).scalar_one())


def test_a_change_by_anybody_reaches_the_totals(the_trade: Trade) -> None:
    app = aw.Afterwork(trade.Base)
    fill(the_trade.engine)
    with app.serving(the_trade.engine):
        assert settled(the_trade.engine) == 0
        the_trade.sql("UPDATE line SET quantity = quantity + 1")
        assert settled(the_trade.engine) == 0
        the_trade.sql("DELETE FROM orders WHERE id < 5")
        assert settled(the_trade.engine) == 0


def _write(engine: Engine, seed: int, errors: list[BaseException]) -> None:
    chance = random.Random(seed)
    try:
        for _ in range(60):
            try:
                with engine.begin() as connection:
                    for _ in range(chance.randint(1, 3)):
                        connection.execute(text(_statement(chance)))
                    if chance.random() < 0.15:
                        raise _GivenUp
            except _GivenUp:
                pass
            except OperationalError as error:
                if "deadlock" not in str(error) and "locked" not in str(error):
                    raise
    except BaseException as error:
        errors.append(error)


class _GivenUp(Exception):
    pass


def _statement(chance: random.Random) -> str:
    line, order, customer = chance.randint(1, 60), chance.randint(1, 20), chance.randint(1, 5)
    return chance.choice(
        [
            f"UPDATE line SET quantity = quantity + 1 WHERE id = {line}",
            f"UPDATE line SET order_id = {order} WHERE id = {line}",
            f"UPDATE orders SET customer_id = {customer} WHERE id = {order}",
            f"UPDATE line SET price = price + 1 WHERE order_id = {order}",
            f"DELETE FROM line WHERE id = {line}",
            f"INSERT INTO line (order_id, quantity, price) VALUES ({order}, 1, 2)",
            f"UPDATE customer SET name = 'x' WHERE id = {customer}",
        ]
    )


def test_all_values_are_right_when_writers_rest(the_trade: Trade) -> None:
    fill(the_trade.engine)
    if the_trade.engine.dialect.name == "postgresql":
        the_trade.sql("SELECT setval(pg_get_serial_sequence('line', 'id'), 1000)")
    errors: list[BaseException] = []
    engines = [create_engine(the_trade.engine.url) for _ in range(2)]
    with ExitStack() as servers:
        for engine in engines:
            servers.callback(engine.dispose)
            servers.enter_context(aw.Afterwork(trade.Base).serving(engine))
        threads = [threading.Thread(target=_write, args=(the_trade.engine, seed, errors)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert settled(the_trade.engine) == 0
