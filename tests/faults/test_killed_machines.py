"""A server that moves machines is killed with kill -9 at each point."""

import json
import signal
from typing import get_args

import pytest
from sqlalchemy import URL, Engine

from afterwork.events import Point
from tests.support.orders import Orders, orders
from tests.support.processes import Process, Processes
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


def start(started: Processes, url: URL, fault: dict[str, object] | None = None) -> Process:
    given = {
        "url": url.render_as_string(hide_password=False),
        "settings": {"standby_poll": 0.1, "lock_limit": 1.0, "lease": 2.0},
        "model": "tests.support.orders",
        "fault": fault,
    }
    return started.start("tests.support.server_main", json.dumps(given))


def placed(engine: Engine) -> Orders:
    """An order that can be moved two steps."""
    scene = orders(engine)
    scene.do("place")
    scene.run()
    scene.sql("UPDATE article SET stock = 5", "INSERT INTO payment (id, order_id, amount) VALUES (1, 1, 10)")
    return scene


@pytest.mark.parametrize("point", get_args(Point))
def test_wherever_a_server_is_killed_each_state_is_entered_once(
    engine: Engine, url: URL, started: Processes, point: Point
) -> None:
    scene = placed(engine)
    fault: dict[str, object] = {"point": point, "time": 1, "work": "Order.flow", "signal": 9}

    assert start(started, url, fault).wait() == -signal.SIGKILL
    server = start(started, url)

    eventually(lambda: scene.state() == "packed")
    server.send(signal.SIGTERM)
    server.wait()
    scene.run()
    assert scene.entered() == ["cart", "placed", "paid", "packed"]
    assert scene.value("SELECT stock FROM article") == 4
    assert len(scene.history()) == 4
    assert scene.value("SELECT count(*) FROM afterwork_due WHERE claim IS NOT NULL") == 0
