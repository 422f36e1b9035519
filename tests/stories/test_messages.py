"""News for customers over HTTP, by an async job that takes an argument: each is told once, whatever the way is like."""

import json
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

import afterwork as aw
from examples.shop import Base, Customer, Order, SysAsyncTicket, TellCustomer, create
from examples.shop.bookkeeping import Bookkeeping, Mood, open_for_business
from tests.stories.conftest import of_both
from tests.support.prepared import begin_with

BAD_DAY: list[Mood] = ["well", "drops", "error", "slow"]
NEWS = {f"Your order {number} has arrived." for number in range(1, 9)}


@pytest.fixture
def shop(engine: Engine, model: ModuleType) -> Engine:
    """A customer with an order, who is to be told a lot."""

    def begin(engine: Engine) -> None:
        model.create(engine)
        aw.Afterwork(model.Base).install(engine)
        with Session(engine) as session, session.begin():
            order = model.Order(customer=model.Customer(name="Ann"))
            session.add(order)
            for news in sorted(NEWS):
                arguments = json.dumps({"news": news})
                session.add(model.SysAsyncTicket(view_model="TellCustomer", root_object=order, arguments=arguments))

    begin_with(engine, begin, f"messages of {model.__name__}")
    return engine


@pytest.fixture
def messenger() -> Bookkeeping:
    return Bookkeeping(BAD_DAY)


@pytest.fixture
def address(messenger: Bookkeeping) -> Iterator[str]:
    with open_for_business(messenger) as found:
        yield found


def errors(engine: Engine, model: ModuleType) -> set[str | None]:
    with Session(engine) as session:
        return set(session.scalars(select(model.SysAsyncTicket.error)))


@of_both
def test_each_is_told_once_over_a_bad_line(
    shop: Engine, model: ModuleType, messenger: Bookkeeping, address: str
) -> None:
    clock = aw.ManualClock()
    app = aw.Afterwork(model.Base, clock=clock, variables={"messenger": address})
    for _ in range(5):
        app.run_until_idle(shop)
        clock.advance(timedelta(seconds=20))

    assert errors(shop, model) == {None}
    assert {told["text"] for told in messenger.orders.values()} == NEWS
    assert {told["to"] for told in messenger.orders.values()} == {"Ann"}
    assert len(messenger.orders) == len(NEWS)
    assert messenger.doubles > 0


@of_both
def test_without_a_messenger_nobody_is_told(shop: Engine, model: ModuleType, messenger: Bookkeeping) -> None:
    aw.Afterwork(model.Base, variables={"messenger": None}).run_until_idle(shop)

    assert errors(shop, model) == {None}
    assert messenger.requests == 0


def test_the_ticket_carries_what_is_given_and_the_application_gives_the_rest(
    engine: Engine, messenger: Bookkeeping, address: str
) -> None:
    create(engine)
    app = aw.Afterwork(Base, variables={"messenger": address})
    app.install(engine)
    with Session(engine) as session, session.begin():
        order = Order(customer=Customer(name="Ann"))
        session.add(order)
        ticket = aw.later(TellCustomer(order, news="It is here."))
        session.flush()
        assert isinstance(ticket, SysAsyncTicket)
        assert json.loads(ticket.arguments or "") == {"news": "It is here."}

    app.run_until_idle(engine)

    assert list(messenger.orders.values()) == [{"to": "Ann", "text": "It is here."}]
