"""The examples run as the README says, and tell what they should."""

from datetime import UTC, timedelta
from decimal import Decimal
from types import ModuleType

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from examples.shop import caches, later, numbers, post_office
from tests.stories.conftest import Tell, of_both
from tests.stories.programs import run
from tests.support.world import World

STORIES = {
    "numbers": ["Ann has number (none yet)", "Ann has number 1, with order number 1", "Eve has number 3"],
    "later": ["ticket 4, and ticket 4", "letters sent: 1", "Customer!4711 is not there"],
    "refund": [
        "amount wants a Decimal that is a number, and got 12.5.",
        "Order!1.refund(amount='12.50', reason='BROKEN', to='Account!1', token='(secret)')",
        "12.50 goes back to Ann, since it was broken",
        "the books of 2027-01-31 are closed: 27.50 in 1 order",
    ],
    "phone": [
        "The answer to the request: Ann's number is 4711",
        "The answer to the request: Bob's number is 4712",
        "Nobody gets no number: The precondition of Customer.assign_number is false.",
        "Half of 50 requests were answered within ",
        " times the plain latency of ",
    ],
    "flow": [
        "order 1 is shipped to 1 Main Street\n  order 1: thank you",
        "order 2 is not shipped. Cancelled: ticket 6, which it waited for, did not end well.",
        "all 1,000 letters are written",
    ],
    "fetch": ["40 prices were fetched, the last is 40.90"],
    "caches": ["Ann's total is 84.20"],
}

ALL_AS_MODULES = """
import runpy
for story in {stories}:
    runpy.run_module(f"examples.shop.{{story}}", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("story", STORIES)
def test_each_story_runs_by_its_path(story: str) -> None:
    said = run(f"examples/shop/{story}.py")

    assert [line for line in STORIES[story] if line not in said] == []


def test_each_story_runs_as_a_module() -> None:
    said = run("-c", ALL_AS_MODULES.format(stories=list(STORIES)))

    assert [line for lines in STORIES.values() for line in lines if line not in said] == []


def test_the_story_of_numbers_is_the_same_on_each_database(
    engine: Engine, tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(numbers, engine)

    assert "Ann has number 1, with order number 1" in capsys.readouterr().out


def test_the_story_of_later_is_the_same_on_each_database(
    engine: Engine, tell: Tell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_office, "sent", {})

    tell(later, engine)

    said = capsys.readouterr().out
    assert said.count("Customer.remind on Customer!1 is done") == 1
    assert "attempt 2 raised PostOfficeClosed" in said
    assert "letters sent: 1" in said
    assert "receipts of it: 1" in said
    assert "receipts of it: 0" in said
    assert "The precondition of Customer.assign_number is false" in said


@of_both
def test_the_story_of_caches_is_the_same_on_each_database(
    engine: Engine, tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(caches, engine)

    said, asked = capsys.readouterr().out.split("Why is it so?")
    first, delivered, changed, renamed = said.split("Somebody says:")
    assert "Ann's total is 64.30, in stock are Teapot, blue: -1, Cup and saucer: -4" in first
    assert "runs: Product.stock of Product!1, Product.stock of Product!2\n" in delivered
    assert "Ann's total is 84.20, in stock are Teapot, blue: 49, Cup and saucer: 44" in changed
    assert "runs: nothing" in renamed
    assert "Customer.total of Customer!1 is fresh." in asked
    assert "It ran because customer_order 1 was changed: total from 6430 to 8420." in asked
    assert "Customer.total of Customer!1, through Order.total of Order!1" in asked


def test_an_order_is_overdue_from_the_moment_on_until_it_is_paid(engine: Engine, model: ModuleType) -> None:
    world = World(engine, model.Base)
    app, clock = world.app, world.clock
    with world.session() as session, session.begin():
        due = (clock.now() + timedelta(days=30)).astimezone(UTC).replace(tzinfo=None)
        product = model.Product(name="Sieve", price=Decimal("3.80"))
        order = model.Order(customer=model.Customer(name="Ann"), due=due)
        order.lines.append(model.OrderLine(product=product, quantity=1, price=product.price))
        session.add(order)

    def is_overdue() -> bool:
        app.run_until_idle(engine)
        with Session(engine) as session:
            overdue: bool = session.get_one(model.Order, order.id).overdue
            return overdue

    assert not is_overdue()
    clock.advance(timedelta(days=29))
    assert app.run_until_idle(engine) == []
    clock.advance(timedelta(days=1))
    assert is_overdue()
    with Session(engine) as session, session.begin():
        session.add(model.Payment(order_id=order.id, amount=Decimal("3.80")))
    assert not is_overdue()
