"""What runs once per database, when servers are killed with kill -9: nothing of it happens twice."""

import json
import signal

import pytest
from sqlalchemy import URL, Engine, select
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Point
from tests.faults.scene import begin_installed
from tests.support import upgraded
from tests.support.processes import Process, Processes
from tests.support.upgraded import Mark
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

SETTINGS = {"standby_poll": 0.1, "lock_limit": 1.0, "lease": 2.0}
POINTS: tuple[Point, ...] = ("claimed", "ran", "before commit", "after commit")
INSIDE, OUTSIDE = ["Inside.first", "Inside.second"], ["Outside.first", "Outside.second"]


@pytest.fixture
def database(engine: Engine) -> Engine:
    begin_installed(engine, upgraded)
    return engine


def _start(started: Processes, url: URL, fault: dict[str, object] | None = None) -> Process:
    given = {
        "url": url.render_as_string(hide_password=False),
        "settings": SETTINGS,
        "model": "tests.support.upgraded",
        "fault": fault,
    }
    return started.start("tests.support.server_main", json.dumps(given))


@pytest.mark.parametrize("point", POINTS)
def test_an_inside_action_whose_server_is_killed_is_done_by_the_next_and_once(
    url: URL, database: Engine, started: Processes, point: Point
) -> None:
    fault: dict[str, object] = {"point": point, "time": 1, "work": "Inside.second", "signal": 9}
    assert _start(started, url, fault).wait() == -signal.SIGKILL

    after_two_servers(url, database, started)

    assert marks(database) == [*INSIDE, *OUTSIDE]
    assert {one.state for one in aw.Afterwork(upgraded.Base).insight(database).once()} == {"done"}


@pytest.mark.parametrize("point", POINTS)
def test_an_external_action_whose_server_is_killed_has_failed_and_is_not_run_again(
    url: URL, database: Engine, started: Processes, point: Point
) -> None:
    fault: dict[str, object] = {"point": point, "time": 1, "work": "Outside.first", "signal": 9}
    assert _start(started, url, fault).wait() == -signal.SIGKILL

    after_two_servers(url, database, started)

    # Before the row is committed that says that it begins, it has not begun.
    ended_well = point in ("claimed", "after commit")
    assert marks(database) == [*INSIDE, *(OUTSIDE if ended_well else [])]
    *_, first, second = aw.Afterwork(upgraded.Base).insight(database).once()
    assert (first.state, second.state) == (("done", "done") if ended_well else ("failed", "waiting"))


def test_servers_that_start_at_one_moment_run_each_action_once(url: URL, database: Engine, started: Processes) -> None:
    servers = [_start(started, url) for _ in range(3)]
    app = aw.Afterwork(upgraded.Base)

    eventually(lambda: all(one.state == "done" for one in app.insight(database).once()))
    for server in servers:
        server.kill()

    assert marks(database) == [*INSIDE, *OUTSIDE]


def after_two_servers(url: URL, database: Engine, started: Processes) -> None:
    """Two servers come and do what is to be done."""
    app = aw.Afterwork(upgraded.Base)
    servers = [_start(started, url) for _ in range(2)]
    eventually(
        lambda: all(action.state in ("done", "failed") or action.waits_for for action in app.insight(database).once())
    )
    for server in servers:
        server.kill()


def marks(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return sorted(session.scalars(select(Mark.action)))
