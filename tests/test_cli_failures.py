"""`afterwork failures`: what the page of failures shows, in a terminal."""

import json

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from examples.shop import Customer, Order, SysAsyncTicket, app
from tests.support.command_line import Afterwork, afterwork, ann, told
from tests.support.databases import url

__all__ = ["afterwork", "ann", "url"]


def refuse_refunds(ann: Customer, engine: Engine, times: int) -> None:
    """Ask for refunds of an order that has not been paid."""
    with Session(engine) as session, session.begin():
        order = Order(customer_id=ann.id, lines=[])
        session.add(order)
        session.flush()
        session.add_all(SysAsyncTicket(view_model="Order.refund", root_object=order) for _ in range(times))
    app.run_until_idle(engine)


def test_without_failures_it_says_so(afterwork: Afterwork, ann: Customer, engine: Engine) -> None:
    assert told(afterwork("failures")) == "No failures.\n"
    assert told(afterwork("failures", "--put-off")) == "Nothing was put off.\n"


def test_failures_are_told_in_groups_and_retried(afterwork: Afterwork, ann: Customer, engine: Engine) -> None:
    refuse_refunds(ann, engine, 3)
    (group,) = json.loads(told(afterwork("failures", "--json")))

    assert told(afterwork("failures", "--work", "Order.refund")).startswith(
        f"{group['id']}  Order.refund, 3 failed, last"
    )
    assert "on Order!1, Order!1, Order!1; 3 still failed" in told(afterwork("failures"))
    retry = "failures", "--work", "Order.refund", "--retry", group["id"]
    assert told(afterwork(*retry)) == "3 tried again, 0 left alone.\n"
    assert told(afterwork(*retry)) == "Nothing of it is failed any more.\n"


def test_a_group_is_retried_only_with_its_work(afterwork: Afterwork, ann: Customer, engine: Engine) -> None:
    assert "--retry needs --work" in told(afterwork("failures", "--retry", "0"), 2)
    assert "no such group" in told(afterwork("failures", "--work", "Order.refund", "--retry", "0"), 1)
