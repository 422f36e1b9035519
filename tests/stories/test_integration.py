"""Integration with another system: orders go out over HTTP every ten minutes, rates come in.

The other system is slow, answers 500, hangs up after it has taken something. In the end it has got every order, and
what it got twice it knows by the key.
"""

from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

import afterwork as aw
from examples.shop.bookkeeping import Bookkeeping, Mood, open_for_business
from tests.stories.conftest import of_both
from tests.support.prepared import begin_with

BAD_DAY: list[Mood] = ["well", "drops", "error", "slow", "well", "drops", "drops"]
ORDERS = 12


@pytest.fixture
def shop(engine: Engine, model: ModuleType) -> Engine:
    """Customers with orders that have their numbers."""

    def begin(engine: Engine) -> None:
        model.create(engine)
        aw.Afterwork(model.Base).install(engine)
        with Session(engine) as session, session.begin():
            ann = model.Customer(name="Ann")
            ann.orders = [model.Order(number=number) for number in range(1, ORDERS + 1)]
            session.add(ann)

    begin_with(engine, begin, f"integration of {model.__name__}")
    return engine


@pytest.fixture
def clock() -> aw.ManualClock:
    return aw.ManualClock()


@pytest.fixture
def bookkeeping() -> Bookkeeping:
    return Bookkeeping(BAD_DAY)


@pytest.fixture
def app(shop: Engine, model: ModuleType, clock: aw.ManualClock, bookkeeping: Bookkeeping) -> Iterator[aw.Afterwork]:
    with open_for_business(bookkeeping) as address:
        yield aw.Afterwork(model.Base, clock=clock, variables={"bookkeeping": address})


def left(engine: Engine, model: ModuleType) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(model.Order.exported.is_(None))) or 0


def export_all(engine: Engine, model: ModuleType) -> None:
    """Let all orders be such as were exported."""
    with Session(engine) as session, session.begin():
        session.execute(update(model.Order).values(exported=func.current_timestamp()))


@of_both
def test_every_order_is_exported_and_what_came_twice_is_known_by_its_key(
    app: aw.Afterwork, shop: Engine, model: ModuleType, clock: aw.ManualClock, bookkeeping: Bookkeeping
) -> None:
    rounds = 0
    while left(shop, model):
        app.run_until_idle(shop)
        clock.advance(timedelta(minutes=10))
        rounds += 1
        assert rounds < 10

    assert sorted(order["number"] for order in bookkeeping.orders.values()) == list(range(1, ORDERS + 1))
    assert bookkeeping.doubles > 0
    assert bookkeeping.requests > ORDERS


def test_an_order_that_was_exported_is_not_exported_again(
    app: aw.Afterwork, shop: Engine, model: ModuleType, clock: aw.ManualClock, bookkeeping: Bookkeeping
) -> None:
    export_all(shop, model)

    app.run_until_idle(shop)

    assert bookkeeping.requests == 0


def test_nothing_is_sent_where_no_bookkeeping_is_named(shop: Engine, model: ModuleType, clock: aw.ManualClock) -> None:
    app = aw.Afterwork(model.Base, clock=clock)

    ended = app.run_until_idle(shop)

    assert [one for one in ended if one.run.work == "ExportOrder"] == []
    assert left(shop, model) == ORDERS


def test_rates_are_fetched_each_hour(
    app: aw.Afterwork, shop: Engine, model: ModuleType, clock: aw.ManualClock, bookkeeping: Bookkeeping
) -> None:
    export_all(shop, model)
    bookkeeping.mood()  # it was well once: now its bad day begins
    app.run_until_idle(shop)
    with Session(shop) as session:
        assert session.scalars(select(model.ExchangeRate)).all() == []

    for _ in range(6):  # the bookkeeping has a bad day
        clock.advance(timedelta(hours=1))
        app.run_until_idle(shop)

    with Session(shop) as session:
        assert set(session.scalars(select(model.ExchangeRate.currency))) == {"EUR", "USD"}
