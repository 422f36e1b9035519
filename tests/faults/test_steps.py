"""A server that is killed between the steps of an external run: the next one goes on where it ended."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

import afterwork as aw
from tests.support import parcels
from tests.support.journal import Journal
from tests.support.parcels import Parcel, SysAsyncTicket
from tests.support.processes import Processes
from tests.support.waiting import eventually
from tests.support.world import the_only

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("step", ["label", "courier"])
def test_a_step_is_not_repeated_after_a_crash(
    url: URL, engine: Engine, started: Processes, tmp_path: Path, step: str
) -> None:
    parcels.Base.metadata.create_all(engine)
    aw.Afterwork(parcels.Base).install(engine)
    with Session(engine) as session, session.begin():
        parcel = Parcel()
        session.add(parcel)
        aw.later(parcel.send)
    (tmp_path / f"after.{step}").touch()

    given = {"url": url.render_as_string(hide_password=False), "settings": {"standby_poll": 0.1, "lease": 2.0}}
    first = started.start("tests.support.server_main", json.dumps(given | {"model": "tests.support.parcels"}))
    eventually(lambda: not first.lives)
    assert the_only(engine, Parcel).cost is None

    started.start("tests.support.server_main", json.dumps(given | {"model": "tests.support.parcels"}))
    eventually(lambda: the_only(engine, SysAsyncTicket).done)

    sent = the_only(engine, Parcel)
    assert (sent.cost, sent.courier) == ("Decimal 4.90", "courier of 1")
    with closing(Journal(tmp_path / "journal.jsonl")) as journal:
        assert [len(journal.lines(done)) for done in ("label", "courier")] == [1, 1]
