"""What running costs, in statements: as much for ninety tickets as for ten."""

import pytest

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import Order, add_customer, numbers
from tests.support.tickets_run import statements_of_running
from tests.support.world import statements


@pytest.mark.parametrize("work", ["assign_number", "send_mail", "touch"])
def test_a_batch_takes_as_many_statements_for_ten_tickets_as_for_ninety(the_shop: Shop, work: str) -> None:
    """Rows of one table are updated by one `executemany`, which is one statement with many parameters."""
    statements_of_running(the_shop, 1, work)

    few, many = statements_of_running(the_shop, 10, work), statements_of_running(the_shop, 90, work)

    assert len(many) == len(few)


def test_one_batch_takes_one_claim_one_query_for_the_roots_and_one_receipt(the_shop: Shop) -> None:
    sent = statements_of_running(the_shop, 100, "assign_number")
    first_words = [statement.split(None, 2)[:2] for statement in sent]

    assert numbers(the_shop.engine) == list(range(1, 101))
    assert len([words for words in first_words if words[:2] == ["UPDATE", "sys_async_ticket"]]) == 1
    assert len([statement for statement in sent if "FROM customer" in statement]) == 1
    assert len(sent) < 45


def test_tickets_of_a_batch_that_fail_alike_take_one_receipt(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        customer = add_customer(session)
        for _ in range(50):
            aw.later(customer.assign_number)

    with statements(the_shop.engine) as sent:
        the_shop.run()

    assert len([statement for statement in sent if statement.startswith("UPDATE sys_async_ticket")]) == 2


def test_saving_a_ticket_costs_one_statement_more_at_most(the_shop: Shop) -> None:
    """The root's key is known in time, or filled in by one statement for all tickets of the flush. (SQLAlchemy inserts
    rows with a key of their own one by one on SQLite, so only what is no INSERT counts.)"""
    with statements(the_shop.engine) as sent, the_shop.session() as session, session.begin():
        for _ in range(50):
            customer = add_customer(session)
            aw.later(customer.assign_number)
            order = Order(customer=customer)
            session.add(order)
            aw.later(order.touch)

    assert len([statement for statement in sent if not statement.startswith("INSERT")]) <= 1


def test_a_saved_ticket_asks_the_database_for_nothing_but_its_key(the_shop: Shop) -> None:
    """Values that the database would fill in are known; to ask for them costs a statement that is not cached."""
    with the_shop.session() as session, statements(the_shop.engine) as sent, session.begin():
        aw.later(add_customer(session).assign_number)

    (insert,) = (one for one in sent if one.startswith("INSERT INTO sys_async_ticket"))
    _, _, asked = insert.partition(" RETURNING ")
    assert asked in ("", "sys_async_ticket.id")
