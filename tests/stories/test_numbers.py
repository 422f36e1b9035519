"""Unique gap-free numbers: the first need, and the shortest way through Afterwork."""

from tests.conftest import Shop
from tests.support.shop import Customer, SysAsyncTicket, add_customer, numbers


def test_a_customer_saved_with_a_ticket_gets_its_number(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        session.add(SysAsyncTicket(view_model="Customer.assign_number", root_object=ann))

    the_shop.run()

    assert numbers(the_shop.engine) == [1]


def test_a_view_model_does_the_same(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        session.add(SysAsyncTicket(view_model=Customer.ViewModels.TheCustomerNumberAssigner, root_object=ann))

    the_shop.run()

    assert numbers(the_shop.engine) == [1]
