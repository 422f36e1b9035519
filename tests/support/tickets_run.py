"""Tickets that are saved and run together, with the statements that this takes."""

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import Order, add_customer
from tests.support.world import statements


def statements_of_running(the_shop: Shop, count: int, work: str) -> list[str]:
    """Save tickets in one transaction, run them, and return the statements that were sent for it."""
    with the_shop.session() as session, session.begin():
        for _ in range(count):
            customer = add_customer(session)
            if work == "touch":
                order = Order(customer=customer)
                session.add(order)
                aw.later(order.touch)
            else:
                aw.later(getattr(customer, work))
    with statements(the_shop.engine) as sent:
        assert len(the_shop.run()) == count
    return sent
