"""A server that is killed while async runs go on: each is tried again, and leaves its effects once."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, text
from sqlalchemy.orm import Session

import afterwork as aw
from tests.support import parcels
from tests.support.journal import Journal
from tests.support.parcels import Delivery, Parcel, SysAsyncTicket
from tests.support.processes import Process, Processes
from tests.support.waiting import eventually
from tests.support.world import errors, everything

pytestmark = pytest.mark.faults

PARCELS = 3


@pytest.fixture
def asked(engine: Engine) -> Engine:
    """An installed database with parcels to send."""
    parcels.Base.metadata.create_all(engine)
    aw.Afterwork(parcels.Base).install(engine)
    with Session(engine) as session, session.begin():
        for _ in range(PARCELS):
            parcel = Parcel()
            session.add(parcel)
            aw.later(parcel.send_async)
    return engine


def start(started: Processes, url: URL, fault: dict[str, Any] | None = None) -> Process:
    given = {
        "url": url.render_as_string(hide_password=False),
        "settings": {"standby_poll": 0.1, "lease": 2.0},
        "model": "tests.support.parcels",
        "fault": fault,
    }
    return started.start("tests.support.server_main", json.dumps(given))


def check_sent(engine: Engine) -> None:
    """Each parcel was sent once, and nothing is left."""
    assert errors(engine, SysAsyncTicket) == [None] * PARCELS
    assert [parcel.cost for parcel in everything(engine, Parcel)] == ["Decimal 4.90"] * PARCELS
    assert sorted(delivery.parcel for delivery in everything(engine, Delivery)) == [1, 2, 3]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM afterwork_lease")).scalar() == 0


@pytest.mark.parametrize("time", [1, 2])
@pytest.mark.parametrize("point", ["claimed", "ran", "before commit", "after commit"])
def test_runs_of_a_killed_server_are_tried_again(
    url: URL, asked: Engine, started: Processes, point: str, time: int
) -> None:
    if (point, time) == ("claimed", 2):
        pytest.skip("all are claimed at once")
    first = start(started, url, {"point": point, "time": time, "signal": 9})
    eventually(lambda: not first.lives)
    assert len(everything(asked, Delivery)) < PARCELS

    start(started, url)
    eventually(lambda: all(ticket.done for ticket in everything(asked, SysAsyncTicket)))
    check_sent(asked)


def test_a_step_of_an_async_run_is_not_repeated_after_a_crash(
    url: URL, asked: Engine, started: Processes, tmp_path: Path
) -> None:
    (tmp_path / "after.label").touch()
    first = start(started, url)
    eventually(lambda: not first.lives)
    assert everything(asked, Delivery) == []

    start(started, url)
    eventually(lambda: all(ticket.done for ticket in everything(asked, SysAsyncTicket)))
    check_sent(asked)
    with closing(Journal(tmp_path / "journal.jsonl")) as journal:
        bought = [line["parcel"] for line in journal.lines("label")]
    assert set(bought) == {1, 2, 3}
    assert 3 <= len(bought) < 6
