"""A root that never comes: a ticket whose customer is not there ends, and says so; one whose customer was never saved
is not there either."""

from sqlalchemy import insert

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import SysAsyncTicket, add_customer
from tests.support.world import everything, the_only


def test_a_ticket_for_a_customer_who_is_not_there_says_so(the_shop: Shop) -> None:
    with the_shop.engine.begin() as connection:
        connection.execute(insert(SysAsyncTicket).values(view_model="Customer.assign_number", root_id="Customer!42"))

    the_shop.run()

    ticket = the_only(the_shop.engine, SysAsyncTicket)
    assert ticket.error == "The root Customer!42 is not there (any more)."
    assert ticket.done is not None


def test_a_customer_who_is_rolled_back_takes_the_ticket_along(the_shop: Shop) -> None:
    with the_shop.session() as session:
        aw.later(add_customer(session).assign_number)
        session.flush()
        session.rollback()

    assert the_shop.run() == []
    assert everything(the_shop.engine, SysAsyncTicket) == []
