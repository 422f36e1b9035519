"""`afterwork history`: what has run of late."""

import json
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from examples import shop
from examples.shop import Customer, SysAsyncTicket
from tests.support.command_line import Afterwork, afterwork, ann, told
from tests.support.databases import url

__all__ = ["afterwork", "ann", "url"]


def test_it_shows_what_ran_and_what_failed(ann: Customer, engine: Engine, afterwork: Afterwork) -> None:
    assert "Nothing has run" in told(afterwork("history"))
    with Session(engine) as session, session.begin():
        session.add(SysAsyncTicket(view_model="Customer.assign_number", root_id=aw.external_id(ann)))
        session.add(SysAsyncTicket(view_model="No.such", root_id="Customer!1"))
    shop.app.run_until_idle(engine)

    said = told(afterwork("history"))
    found = json.loads(told(afterwork("history", "--json")))
    other = json.loads(told(afterwork("history", "--work", "No.such", "--json")))

    assert "Customer.assign_number  ticket" in said
    assert "from due to done: median" in said
    assert "No.such" in said
    assert {one["work"]: one["done"] for one in found["minutes"] if one["source"] == "ticket"} == {
        "Customer.assign_number": 1,
        "No.such": 0,
    }
    assert [one["work"] for one in found["failures"]] == ["No.such"]
    assert {one["work"] for one in other["minutes"]} == {"No.such"}
    assert found["latency"]["p50"] <= timedelta(minutes=10).total_seconds()
