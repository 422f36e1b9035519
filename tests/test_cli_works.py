"""`afterwork works`, `afterwork work` and `afterwork graph`."""

import json
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from examples import shop
from examples.shop import Customer, Order, OrderLine, Product
from tests.support.command_line import Afterwork, afterwork, ann, told
from tests.support.databases import url

__all__ = ["afterwork", "ann", "url"]


def test_works_are_told_by_work_kind_lane_and_server(ann: Customer, engine: Engine, afterwork: Afterwork) -> None:
    assert "last hour: 0 done" in told(afterwork("works"))
    with Session(engine) as session, session.begin():
        aw.later(session.get_one(Customer, ann.id).assign_number)
    shop.app.run_until_idle(engine)

    said = told(afterwork("works", "--span", "day", "--kind", "ticket"))

    assert "last day: 1 done, 0 failed, 0 put off" in said
    for line in ("Customer.assign_number  1", "ticket  1", "main  1"):
        assert line in said
    found = json.loads(told(afterwork("works", "--kind", "timer", "--json")))
    assert (found["total"]["done"], len(found["periods"])) == (0, 60)


def test_a_work_is_told(ann: Customer, engine: Engine, afterwork: Afterwork) -> None:
    with Session(engine) as session, session.begin():
        aw.later(session.get_one(Customer, ann.id).assign_number)
    shop.app.run_until_idle(engine)

    said = told(afterwork("work", "Customer.assign_number"))

    assert said.startswith("Customer.assign_number  method of Customer\nTake the next customer number.")
    assert "only if self.number is None" in said
    assert "its own code: median" in said
    assert "tickets: 0 waiting, 0 scheduled, 0 awaiting, 0 running" in said
    assert json.loads(told(afterwork("work", "Order.total", "--json")))["kind"] == "derived value"
    assert "Customer.assign_number" in told(afterwork("work", "Customer.asign_number"), 1)


def test_the_graph_is_told_and_drawn(ann: Customer, engine: Engine, afterwork: Afterwork, tmp_path: Path) -> None:
    with Session(engine) as session, session.begin():
        line = OrderLine(product=Product(name="tea", price=3), quantity=1, price=3)
        session.add(Order(customer=session.get_one(Customer, ann.id), lines=[line]))
    shop.app.run_until_idle(engine)
    file = tmp_path / "graph.svg"

    said = told(afterwork("graph", "--svg", str(file)))
    affected = told(afterwork("graph", "--member", "OrderLine.quantity"))

    assert "Customer.total" in said
    assert "<style>" in file.read_text()
    assert affected.index("Order.total, of 1 objects") < affected.index("Customer.total, of ")
    assert "OrderLine.quantity" in told(afterwork("graph", "--member", "OrderLine.quantty"), 1)
