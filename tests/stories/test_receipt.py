"""Receipts: a ticket stays for a while after its work was done, and then is gone."""

from datetime import timedelta

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import SysAsyncTicket, add_customer, numbers
from tests.support.world import everything, the_only


def test_a_ticket_that_has_ended_is_its_own_receipt_for_ten_minutes(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number)

    the_shop.run()

    receipt = the_only(the_shop.engine, SysAsyncTicket)
    assert receipt.done == the_shop.clock.now()
    assert receipt.delete_time == receipt.done + timedelta(minutes=10)
    assert receipt.error is None

    the_shop.clock.advance(timedelta(minutes=9))
    the_shop.run()
    assert len(everything(the_shop.engine, SysAsyncTicket)) == 1

    the_shop.clock.advance(timedelta(minutes=2))
    the_shop.run()
    assert everything(the_shop.engine, SysAsyncTicket) == []
    assert numbers(the_shop.engine) == [1]


def test_a_receipt_stays_as_long_as_it_was_asked_to(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number, keep=timedelta(days=1))

    the_shop.run()
    the_shop.clock.advance(timedelta(hours=23))
    the_shop.run()

    assert the_only(the_shop.engine, SysAsyncTicket).keep_receipt_minutes == 24 * 60
