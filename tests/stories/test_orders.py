"""An order from the cart to the customer: it goes on by itself as soon as it can, whoever makes that possible."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import NotInThisState
from afterwork.store.tables import transition
from examples.shop.bookkeeping import Bookkeeping, open_for_business
from tests.stories.conftest import of_both
from tests.support.world import World, everything, the_only


def order_of(model: Any, product: Any, quantity: int) -> Any:
    lines = [model.OrderLine(product=product, quantity=quantity, price=product.price)]
    return model.Order(customer=model.Customer(name="Ann"), lines=lines)


@dataclass
class OrderStory(World):
    """A shop with two teapots in stock and an order of one, in which time passes when the test says so."""

    model: Any = None

    def order(self) -> Any:
        """The first order, to be looked at."""
        return everything(self.engine, self.model.Order)[0]

    @property
    def states(self) -> list[str | None]:
        """Where all orders stand."""
        return [order.state for order in everything(self.engine, self.model.Order)]

    @property
    def state(self) -> str | None:
        """Where the order stands, once all that can happen by itself has."""
        self.run()
        state: str | None = self.order().state
        return state

    @property
    def reserved(self) -> int:
        return int(the_only(self.engine, self.model.Product).reserved)

    def sql(self, statement: str) -> None:
        """Change something behind the back of SQLAlchemy, as any other program might."""
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def pays(self, amount: str) -> None:
        with self.session() as session, session.begin():
            session.add(self.model.Payment(order_id=1, amount=Decimal(amount)))

    def comes_in(self, quantity: int) -> None:
        with self.session() as session, session.begin():
            session.add(self.model.Delivery(product_id=1, quantity=quantity))

    def takes(self, event: str) -> None:
        """Somebody takes an event of the order."""
        with self.session() as session, session.begin():
            getattr(session.get_one(self.model.Order, 1).flow, event)()

    def wait(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))
        self.run()

    def history(self) -> list[tuple[str, str, str]]:
        """How the order has moved: from, to, and by what."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(transition).where(transition.c.root_id == "Order!1"))
            return [(row.source, row.target, row.event or row.mover) for row in rows if row.source is not None]


def story_of(engine: Engine, model: ModuleType, carrier: str) -> OrderStory:
    """The story of an order of one teapot of two, at its beginning."""

    def is_in_the_cart(engine: Engine) -> None:
        model.create(engine)
        with Session(engine) as session, session.begin():
            deliveries = [model.Delivery(quantity=2)]
            teapot = model.Product(name="Teapot", price=Decimal("24.50"), deliveries=deliveries)
            session.add(order_of(model, teapot, 1))

    return OrderStory(engine, model.Base, variables={"carrier": carrier}, first=is_in_the_cart, model=model)


@pytest.fixture
def carrier() -> Bookkeeping:
    """The carrier. It takes over HTTP what it is given, and knows a parcel that comes twice by its key."""
    return Bookkeeping()


@pytest.fixture
def story(engine: Engine, carrier: Bookkeeping, model: ModuleType) -> Iterator[OrderStory]:
    with open_for_business(carrier) as address:
        yield story_of(engine, model, address)


def _tickets(story: OrderStory) -> list[str | None]:
    """What is still asked for."""
    return [ticket.view_model for ticket in everything(story.engine, story.model.SysAsyncTicket) if ticket.done is None]


def test_a_new_order_is_a_cart_and_stays_one_as_long_as_it_is_not_paid(story: OrderStory) -> None:
    assert story.state == "cart"

    story.pays("20.00")

    assert story.state == "cart"


def test_it_is_paid_as_soon_as_payments_cover_its_total_and_goes_on_as_far_as_it_can(story: OrderStory) -> None:
    story.pays("20.00")
    story.pays("4.50")

    assert story.state == "packed"
    assert story.reserved == 1


def test_it_is_paid_too_if_its_total_comes_down_to_what_was_paid(story: OrderStory) -> None:
    story.pays("20.00")
    assert story.state == "cart"

    story.sql("UPDATE order_line SET price = 2000")

    assert story.state == "packed"


def test_it_waits_for_what_is_not_in_stock(story: OrderStory) -> None:
    story.sql("UPDATE order_line SET quantity = 3")
    story.pays("73.50")
    assert story.state == "paid"

    story.sql("INSERT INTO delivery (product_id, quantity) VALUES (1, 1)")

    assert story.state == "packed"
    assert story.reserved == 3


def test_two_orders_do_not_get_the_same_teapot(story: OrderStory) -> None:
    with story.session() as session, session.begin():
        session.add(order_of(story.model, session.get_one(story.model.Product, 1), 2))
    story.run()
    story.sql("INSERT INTO payment (order_id, amount) VALUES (1, 2450), (2, 4900)")
    story.run()

    assert sorted(story.states, key=str) == ["packed", "paid"]

    story.comes_in(1)
    story.run()

    assert story.states == ["packed", "packed"]
    assert story.reserved == 3


def test_the_carrier_gets_each_parcel_and_the_order_is_on_its_way(story: OrderStory, carrier: Bookkeeping) -> None:
    story.pays("24.50")
    story.run()

    story.wait(minutes=10)

    assert story.state == "shipped"
    assert list(carrier.orders.values()) == [{"order": 1, "to": "Ann"}]
    assert _tickets(story) == ["Order.flow.escalate while flow is in shipped"]


def test_a_parcel_that_the_carrier_does_not_confirm_comes_again_with_the_same_key(
    engine: Engine, model: ModuleType
) -> None:
    carrier = Bookkeeping(["drops", "error", "well"])
    with open_for_business(carrier) as address:
        story = story_of(engine, model, address)
        story.pays("24.50")
        for _ in range(4):
            story.wait(minutes=10)

    assert story.order().state == "shipped"
    assert len(carrier.orders) == 1
    assert carrier.doubles == 1


def _shipped(story: OrderStory) -> None:
    story.pays("24.50")
    story.run()
    story.wait(minutes=10)
    assert story.state == "shipped"


def test_it_is_delivered_when_the_customer_says_so_and_then_nothing_is_left_to_do(story: OrderStory) -> None:
    _shipped(story)

    story.takes("deliver")
    assert story.state == "delivered"
    assert _tickets(story) == []

    story.wait(days=4)
    assert story.state == "delivered"


def test_a_parcel_of_which_nothing_is_heard_for_three_days_is_seen_to(story: OrderStory) -> None:
    _shipped(story)

    story.wait(days=2, hours=23)
    assert story.state == "shipped"
    story.wait(hours=2)
    assert story.state == "escalated"

    story.takes("deliver")
    assert story.state == "delivered"


def test_the_ticket_that_has_escalated_it_is_done(story: OrderStory) -> None:
    _shipped(story)

    story.clock.advance(timedelta(days=3, minutes=1))
    story.app.run_until_idle(story.engine)

    (escalation,) = [
        t for t in everything(story.engine, story.model.SysAsyncTicket) if "escalate" in (t.view_model or "")
    ]
    assert escalation.done is not None
    assert escalation.error is None


def test_a_cart_that_is_cancelled_is_gone_and_a_payment_does_not_bring_it_back(story: OrderStory) -> None:
    story.takes("cancel")
    assert story.state == "cancelled"
    assert _tickets(story) == []

    story.pays("24.50")

    assert story.state == "cancelled"
    assert story.reserved == 0


def test_what_was_paid_for_an_order_that_is_cancelled_is_paid_back(story: OrderStory) -> None:
    story.sql("UPDATE order_line SET quantity = 3")
    story.pays("73.50")
    assert story.state == "paid"

    story.takes("cancel")

    assert story.state == "cancelled"
    assert [payment.amount for payment in everything(story.engine, story.model.Payment)] == [
        Decimal("73.50"),
        Decimal("-73.50"),
    ]


def test_what_was_reserved_for_an_order_that_is_cancelled_goes_to_who_waits_for_it(story: OrderStory) -> None:
    with story.session() as session, session.begin():
        session.add(order_of(story.model, session.get_one(story.model.Product, 1), 2))
    story.run()
    story.pays("24.50")
    story.app.control(story.engine).pause("main")  # nobody packs
    story.run()
    story.sql("INSERT INTO payment (order_id, amount) VALUES (2, 4900)")
    assert story.state == "reserved"
    assert story.states == ["reserved", "paid"]

    story.takes("cancel")
    story.run()

    assert story.states == ["cancelled", "reserved"]
    assert story.reserved == 2
    story.app.control(story.engine).resume("main")
    story.run()
    assert story.states == ["cancelled", "packed"]


def test_an_order_that_is_cancelled_before_the_server_saw_that_it_is_paid_leaves_nothing_reserved(
    story: OrderStory,
) -> None:
    story.run()
    story.pays("24.50")

    story.takes("cancel")  # on the way to that, it is paid and reserved

    assert story.reserved == 0
    assert story.state == "cancelled"
    assert story.reserved == 0


def test_a_parcel_that_is_packed_can_not_be_cancelled_any_more(story: OrderStory) -> None:
    story.pays("24.50")
    assert story.state == "packed"

    assert not aw.can(story.order().flow.cancel)
    with pytest.raises(NotInThisState, match="cancel is not possible: Order!1 is in the state packed"):
        story.takes("cancel")


@of_both
def test_its_history_says_how_it_went_and_by_what(story: OrderStory) -> None:
    _shipped(story)
    story.takes("deliver")

    assert story.history() == [
        ("cart", "paid", "Order.flow"),
        ("paid", "reserved", "Order.flow"),
        ("reserved", "packed", "pack"),
        ("packed", "shipped", "ship"),
        ("shipped", "delivered", "deliver"),
    ]
