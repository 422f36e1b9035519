"""Calculated members: nobody says what they depend on, and they are right after each change."""

from decimal import Decimal

from tests.conftest import Trade
from tests.support.trade import Customer, Line, Order


def _ada_orders(the_trade: Trade) -> None:
    with the_trade.session() as session:
        ada = Customer(id=1, name="Ada")
        ada.orders = [
            Order(id=1, lines=[Line(id=1, quantity=2, price=Decimal(10)), Line(id=2, quantity=1, price=Decimal(5))]),
            Order(id=2, lines=[Line(id=3, quantity=4, price=Decimal(1))]),
        ]
        session.add_all([ada, Customer(id=2, name="Bob")])
        session.commit()
    the_trade.run()


def _total(the_trade: Trade, customer: int = 1) -> Decimal:
    with the_trade.session() as session:
        return session.get_one(Customer, customer).total


def test_a_new_customer_gets_a_total(the_trade: Trade) -> None:
    _ada_orders(the_trade)

    assert _total(the_trade) == 29
    assert _total(the_trade, 2) == 0


def test_a_change_of_a_line_reaches_the_total_by_whoever_it_was_made(the_trade: Trade) -> None:
    _ada_orders(the_trade)

    the_trade.sql("UPDATE line SET quantity = 3 WHERE id = 1")

    first, second, *others = the_trade.run()
    assert (first, second) == ("Order.total Order!1", "Customer.total Customer!1")
    assert sorted(others) == ["Badging Customer!1", "Customer.share Customer!1"]
    assert _total(the_trade) == 39


def test_what_was_not_read_starts_nothing(the_trade: Trade) -> None:
    _ada_orders(the_trade)

    the_trade.sql("UPDATE line SET remark = 'fragile'")
    the_trade.sql("UPDATE customer SET note = 'likes tea', name = 'Ada L.'")

    assert the_trade.run() == []


def test_an_order_that_moves_counts_for_both_customers(the_trade: Trade) -> None:
    _ada_orders(the_trade)

    the_trade.sql("UPDATE orders SET customer_id = 2 WHERE id = 1")
    the_trade.run()

    assert _total(the_trade) == 4
    assert _total(the_trade, 2) == 25


def test_a_line_that_is_added_or_deleted_counts(the_trade: Trade) -> None:
    _ada_orders(the_trade)

    the_trade.sql("DELETE FROM line WHERE id = 2")
    the_trade.sql("INSERT INTO line (id, order_id, quantity, price) VALUES (9, 2, 1, 100)")
    the_trade.run()

    assert _total(the_trade) == 124
