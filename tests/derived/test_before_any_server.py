"""Before any server has run, what nobody has calculated is stale, and `fresh` calculates it."""

from decimal import Decimal

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import NoCacheYet
from tests.migrations.releases import release
from tests.support import trade
from tests.support.prepared import installed

KINDS = {"total": 7, "count": 2, "largest": 4}
"""The values of a customer: one made in Python, one in sets, one at commit."""


@pytest.mark.parametrize("name", KINDS)
def test_all_but_values_at_commit_are_stale_and_fresh_calculates_them(engine: Engine, name: str) -> None:
    only = release()
    app = installed(engine, only.base)
    with Session(engine) as session, session.begin():
        session.add(only.customer(name="first", order_rows=[only.order(amount=amount) for amount in (3, 4)]))
    with Session(engine) as session:
        customer = session.get_one(only.customer, 1)
        assert aw.is_stale(customer, name) is (name != "largest")
        assert aw.fresh(customer, name) == KINDS[name]
        assert aw.is_stale(customer, "Greet")
        with pytest.raises(NoCacheYet, match="no server has come to it yet"):
            app.explain(customer, "total")


def test_a_value_made_of_other_values_is_calculated_with_them(engine: Engine) -> None:
    installed(engine, trade.Base)
    with Session(engine) as session, session.begin():
        customer = trade.Customer(name="Ann")
        customer.orders = [trade.Order(lines=[trade.Line(quantity=2, price=Decimal(3))])]
        session.add(customer)
        session.flush()
        assert aw.fresh(customer, "total") == 6
