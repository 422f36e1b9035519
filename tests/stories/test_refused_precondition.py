"""A refused precondition: the second request for a number finds that there is one, and says so."""

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import Customer, SysAsyncTicket, add_customer, numbers
from tests.support.world import errors


def test_a_customer_gets_one_number_however_often_it_is_asked_for(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        assert aw.can(ann.assign_number)
        aw.later(ann.assign_number)
        aw.later(ann.assign_number)

    the_shop.run()

    assert numbers(the_shop.engine) == [1]
    assert errors(the_shop.engine, SysAsyncTicket) == [None, "The precondition of Customer.assign_number is false."]
    with the_shop.session() as session:
        assert not aw.can(session.get_one(Customer, 1).assign_number)
