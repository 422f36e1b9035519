"""A server that keeps caches fresh is killed with kill -9 at each point."""

import json
import signal
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import URL, Engine, text

import afterwork as aw
from afterwork.events import Point
from tests.support import trade
from tests.support.at_rest import fill, wrong_at_rest
from tests.support.journal import Journal
from tests.support.prepared import begin_with
from tests.support.processes import Process, Processes

pytestmark = pytest.mark.faults

CLAIMING = {"standby_poll": 0.1, "lock_limit": 1.0, "lease": 2.0, "at_once": 0.0}
"""With these, also what is quick is claimed first."""

QUICK = CLAIMING | {"at_once": 10.0}
"""With these, whatever has run before is calculated in the transaction that takes the change."""


def begin_full(engine: Engine) -> None:
    """Customers with orders, nothing of which is calculated yet."""
    trade.create(engine)
    aw.Afterwork(trade.Base).install(engine)
    fill(engine)


def begin_settled(engine: Engine) -> None:
    """The same, and all is calculated."""
    begin_full(engine)
    aw.Afterwork(trade.Base).run_until_idle(engine)


def _start(
    started: Processes, url: URL, fault: dict[str, object] | None = None, settings: dict[str, float] = CLAIMING
) -> Process:
    given = {
        "url": url.render_as_string(hide_password=False),
        "settings": settings,
        "model": "tests.support.trade",
        "fault": fault,
    }
    return started.start("tests.support.server_main", json.dumps(given))


@pytest.mark.parametrize("work", ["journal", "Customer.total", "Badging"])
@pytest.mark.parametrize("point", get_args(Point))
def test_a_server_killed_at_any_point_leaves_no_value_wrong(
    url: URL, engine: Engine, started: Processes, point: Point, work: str
) -> None:
    if work == "journal" and point in ("claimed", "ran"):
        pytest.skip("nothing is claimed to take changes out of the journal")
    begin_with(engine, begin_full)

    assert _start(started, url, {"point": point, "time": 1, "work": work, "signal": 9}).wait() == -signal.SIGKILL
    with engine.begin() as connection:
        connection.execute(text("UPDATE line SET quantity = quantity + 30"))
    assert _start(started, url, {"point": point, "time": 1, "work": work, "signal": 9}).wait() == -signal.SIGKILL
    _start(started, url)

    _check_all_is_right(engine)


@pytest.mark.parametrize("work", ["Customer.total"])
@pytest.mark.parametrize("point", ["ran", "before commit", "after commit"])
def test_a_server_killed_while_it_calculates_at_once_leaves_no_value_wrong(
    url: URL, engine: Engine, started: Processes, tmp_path: Path, point: Point, work: str
) -> None:
    begin_with(engine, begin_settled)

    with engine.begin() as connection:
        connection.execute(text("UPDATE line SET quantity = quantity + 30 WHERE id = 2"))
    fault: dict[str, object] = {"point": point, "time": 1, "work": work, "signal": 9}
    assert _start(started, url, fault, QUICK).wait() == -signal.SIGKILL
    journal = Journal(tmp_path / "journal.jsonl")
    reached = [line["point"] for line in journal.lines("Reached", work=work)]
    journal.close()
    assert reached == ["ran", "before commit", "after commit"][: len(reached)]
    assert reached[-1] == point
    _start(started, url, settings=QUICK)

    _check_all_is_right(engine)


def _check_all_is_right(engine: Engine) -> None:
    assert wrong_at_rest(engine) == 0
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM afterwork_due WHERE claim IS NOT NULL")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM afterwork_recent")).scalar() == 0
