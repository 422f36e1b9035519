"""A unique request: however often it is asked for, it happens once."""

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import Customer, SysAsyncTicket, add_customer
from tests.support.world import everything, the_only


def test_three_changes_of_a_customer_send_one_mail(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        aw.later(ann.send_mail, unique=True)

    for name in ("Anna", "Annabel"):
        with the_shop.session() as session, session.begin():
            ann = session.get_one(Customer, 1)
            ann.name = name
            aw.later(ann.send_mail, unique=True)

    the_shop.run()

    assert the_only(the_shop.engine, Customer).notes == "mailed"
    assert len(everything(the_shop.engine, SysAsyncTicket)) == 1


def test_once_the_mail_is_sent_the_next_change_sends_another(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).send_mail, unique=True)
    the_shop.run()

    with the_shop.session() as session, session.begin():
        aw.later(session.get_one(Customer, 1).send_mail, unique=True)
    the_shop.run()

    assert the_only(the_shop.engine, Customer).notes == "mailedmailed"
