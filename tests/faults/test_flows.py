"""Servers that are killed at each point of a flow's runs: what joins them runs exactly once."""

import json
from collections import Counter
from signal import SIGKILL
from typing import get_args

import pytest
from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Point
from tests.support import flows
from tests.support.flows import SysAsyncTicket, marks, piece
from tests.support.processes import Processes
from tests.support.waiting import eventually
from tests.support.world import everything

pytestmark = pytest.mark.faults

QUICK = {"standby_poll": 0.1, "lease": 2.0, "safety_poll": 1.0}


@pytest.mark.parametrize("point", get_args(Point))
@pytest.mark.parametrize("work", ["Piece.do_left", "Piece.do_outside", "Piece.do"])
def test_a_join_runs_exactly_once(url: URL, engine: Engine, started: Processes, point: Point, work: str) -> None:
    flows.Base.metadata.create_all(engine)
    aw.Afterwork(flows.Base).install(engine)
    with Session(engine) as session, session.begin():
        parts = [aw.later(piece(session, "left").do_left), aw.later(piece(session, "right").do_right)]
        parts.append(aw.later(piece(session, "outside").do_outside))
        join = aw.after(parts, piece(session, "join").do)
        aw.after([join], piece(session, "last").do)
    given = {"url": url.render_as_string(hide_password=False), "settings": QUICK, "model": "tests.support.flows"}
    fault = {"point": point, "time": 1, "signal": SIGKILL, "work": work}

    first = started.start("tests.support.server_main", json.dumps({**given, "fault": fault}))
    eventually(lambda: not first.lives)
    started.start("tests.support.server_main", json.dumps(given))
    started.start("tests.support.server_main", json.dumps(given))
    eventually(lambda: all(ticket.done for ticket in everything(engine, SysAsyncTicket)))

    with Session(engine) as session:
        left = marks(session)
    assert Counter(left) == Counter(["left", "right", "outside", "join", "last"])
    assert left[-2:] == ["join", "last"]
