"""Delayed start: work that is asked for now and begins later."""

from datetime import UTC, datetime, timedelta

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import Customer, SysAsyncTicket, add_customer, numbers


def test_work_asked_for_in_an_hour_begins_in_an_hour(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        aw.later(ann.assign_number, after=timedelta(hours=1))

    the_shop.run()
    assert numbers(the_shop.engine) == [None]

    the_shop.clock.advance(timedelta(hours=1, minutes=1))
    the_shop.run()
    assert numbers(the_shop.engine) == [1]


def test_a_plain_row_can_wait_for_its_moment_too(the_shop: Shop) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with the_shop.session() as session, session.begin():
        ann = add_customer(session, "Ann")
        bob = add_customer(session, "Bob")
        session.add(
            SysAsyncTicket(view_model="Customer.assign_number", root_object=ann, execute_earliest=tomorrow),
        )
        session.add(SysAsyncTicket(view_model=Customer.ViewModels.TheCustomerNumberAssigner, root_object=bob))

    the_shop.run()
    assert numbers(the_shop.engine) == [None, 1]

    the_shop.clock.advance(timedelta(days=1, minutes=1))
    the_shop.run()
    assert numbers(the_shop.engine) == [2, 1]
