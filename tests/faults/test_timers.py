"""Timers, when servers are killed with kill -9: each due time fires once, and each match is done once."""

import json
import signal
from datetime import timedelta

import pytest
from sqlalchemy import URL, Engine, func, select
from sqlalchemy.orm import Session

from afterwork.events import Point
from tests.faults.scene import begin_installed
from tests.support import timed
from tests.support.processes import Process, Processes
from tests.support.timed import TASKS, Task, Tick, Visit
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

SETTINGS = {"standby_poll": 0.1, "lock_limit": 1.0, "lease": 2.0}


@pytest.fixture
def office(engine: Engine) -> Engine:
    begin_installed(engine, timed)
    return engine


def _start(started: Processes, url: URL, fault: dict[str, object] | None = None) -> Process:
    given = {
        "url": url.render_as_string(hide_password=False),
        "settings": SETTINGS,
        "model": "tests.support.timed",
        "fault": fault,
    }
    return started.start("tests.support.server_main", json.dumps(given))


@pytest.mark.parametrize(
    ("point", "work"),
    [
        ("before commit", "round of Work"),
        ("after commit", "round of Work"),
        ("before commit", "round of Tick"),
        ("after commit", "round of Tick"),
        ("claimed", "Work"),
        ("ran", "Work"),
        ("before commit", "Work"),
        ("after commit", "Work"),
    ],
)
def test_a_server_killed_at_any_point_of_a_round_fires_nothing_twice_and_leaves_nothing_undone(
    url: URL, office: Engine, started: Processes, point: Point, work: str
) -> None:
    assert _start(started, url, {"point": point, "time": 1, "work": work, "signal": 9}).wait() == -signal.SIGKILL
    servers = [_start(started, url) for _ in range(2)]

    eventually(lambda: done(office) == TASKS and visits(office) >= 5)
    for server in servers:
        server.kill()

    with Session(office) as session:
        assert set(session.scalars(select(Task.count))) == {1}
        due = list(session.scalars(select(Visit.due).order_by(Visit.due)))
    assert len(due) == len(set(due))
    assert {(moment - due[0]) % Tick.when.interval for moment in due} == {timedelta(0)}


def done(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(Task.count > 0)) or 0


def visits(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Visit)) or 0
