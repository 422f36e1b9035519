"""What others write and lock while small changes are taken and calculated: nothing is missed, and nobody waits long."""

import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import cast

import pytest
from sqlalchemy import Engine, text

from afterwork.events import Point
from tests.derived.small_scene import QUICK, Small, only_on_postgresql, trade
from tests.support.at_rest import WRONG, fill
from tests.support.trade import Base


def test_a_row_that_a_user_has_locked_holds_up_nobody_for_long(engine: Engine) -> None:
    only_on_postgresql(engine)
    scene = trade(engine)
    with engine.connect() as user:
        user.execute(text("SELECT 1 FROM orders WHERE id = 1 FOR UPDATE"))
        scene.sql("UPDATE line SET quantity = 3 WHERE id = 1")
        began = time.monotonic()
        assert scene.runs() == []
        assert time.monotonic() - began < 1
        assert scene.value("SELECT count(*) FROM afterwork_journal") == 0
        assert scene.value("SELECT count(*) FROM afterwork_due WHERE since IS NOT NULL AND claim IS NULL") == 1
    scene.clock.advance(timedelta(seconds=1))
    scene.run()
    assert scene.value("SELECT total FROM customer") == 35


def test_what_a_user_writes_to_the_same_row_meanwhile_is_not_lost(engine: Engine) -> None:
    only_on_postgresql(engine)
    scene = trade(engine)

    def write() -> None:
        scene.sql("UPDATE orders SET customer_id = NULL WHERE id = 1")

    scene.todo["ran", "Order.total"] = write
    scene.sql("UPDATE line SET quantity = 3 WHERE id = 1")
    scene.run()
    assert not scene.todo
    assert scene.value("SELECT total FROM orders WHERE customer_id IS NULL") == 35
    assert scene.value("SELECT total FROM customer") == 0


@pytest.mark.parametrize("point", ["ran", "before commit"])
def test_a_change_that_commits_between_taking_and_storing_is_not_missed(point: Point, engine: Engine) -> None:
    only_on_postgresql(engine)
    scene = trade(engine)
    scene.todo[point, "Order.total"] = lambda: scene.sql(
        "UPDATE line SET quantity = 1 WHERE id = 2", "DELETE FROM line"
    )
    scene.sql("UPDATE line SET quantity = 3 WHERE id = 1")
    scene.run()
    assert not scene.todo
    assert scene.value("SELECT total FROM orders") == 0
    assert scene.value("SELECT total FROM customer") == 0
    assert scene.is_quiet()


def test_a_change_that_began_before_and_commits_afterwards_is_not_missed(engine: Engine) -> None:
    only_on_postgresql(engine)
    scene = trade(engine)
    with engine.connect() as user:
        user.execute(text("UPDATE line SET quantity = 7 WHERE id = 2"))
        scene.sql("UPDATE line SET quantity = 3 WHERE id = 1")
        scene.run()
        assert scene.value("SELECT total FROM orders") == 35
        user.commit()
    scene.run()
    assert scene.value("SELECT total FROM customer") == 65
    assert scene.claimed().count("Order.total") == 0


def test_two_servers_that_take_at_the_same_time_miss_nothing(engine: Engine) -> None:
    only_on_postgresql(engine)
    scene = Small(engine, Base, settings=QUICK, first=fill)
    scene.run()
    errors: list[BaseException] = []
    writing = threading.Event()
    writing.set()

    def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(80):
            line, order = chance.randint(1, 60), chance.randint(1, 20)
            what = f"order_id = {order}" if chance.random() < 0.3 else f"quantity = {order}"
            scene.sql(f"UPDATE line SET {what} WHERE id = {line}")

    def serve() -> None:
        app = scene.server()
        while writing.is_set():
            app.run_until_idle(engine)

    def kept(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                errors.append(error)

        return run

    servers = [threading.Thread(target=kept(serve)) for _ in range(2)]
    writers = [threading.Thread(target=kept(partial(write, n))) for n in range(3)]
    for thread in (*servers, *writers):
        thread.start()
    for thread in writers:
        thread.join(60)
    writing.clear()
    for thread in servers:
        thread.join(60)
    scene.run()
    assert not errors
    assert scene.value(WRONG) == 0
    assert scene.is_quiet()
    runs = "SELECT sum(runs) FROM afterwork_cache WHERE root LIKE 'Order!%'"
    assert cast(int, scene.value(runs)) <= 20 + 2 * 240  # each change touches two orders at most
    assert ("after commit", "Order.total") in scene.points()
