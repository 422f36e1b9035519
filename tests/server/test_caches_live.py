"""Servers keep caches right while others write."""

import random
import threading
from contextlib import ExitStack

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

import afterwork as aw
from tests.conftest import Trade
from tests.support import trade
from tests.support.at_rest import fill, wrong_at_rest


def test_a_change_by_anybody_reaches_the_totals(the_trade: Trade) -> None:
    app = aw.Afterwork(trade.Base)
    fill(the_trade.engine)
    with app.serving(the_trade.engine):
        assert wrong_at_rest(the_trade.engine) == 0
        the_trade.sql("UPDATE line SET quantity = quantity + 1")
        assert wrong_at_rest(the_trade.engine) == 0
        the_trade.sql("DELETE FROM orders WHERE id < 5")
        assert wrong_at_rest(the_trade.engine) == 0


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
        assert wrong_at_rest(the_trade.engine) == 0
