"""Questions about a derived value name it by the member itself, `Customer.total`, or by its name."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import BadRequest
from tests.support import trade
from tests.support.prepared import installed


def test_each_question_takes_the_member_for_its_name(engine: Engine) -> None:
    app = installed(engine, trade.Base)
    with Session(engine) as session:
        customer = trade.Customer(name="Ann")
        session.add(customer)
        session.flush()
        assert aw.fresh(customer, trade.Customer.total) == aw.fresh(customer, "total") == 0
        assert aw.is_stale(customer, trade.Customer.total)
        assert app.explain(customer, trade.Customer.total) == app.explain(customer, "total")
        assert app.impact(customer, trade.Customer.name) == app.impact(customer, "name")


def test_a_member_of_another_class_is_refused(engine: Engine) -> None:
    app = installed(engine, trade.Base)
    with Session(engine) as session:
        customer = trade.Customer(name="Ann")
        session.add(customer)
        with pytest.raises(BadRequest, match=r"Order\.total is no member of Customer"):
            aw.fresh(customer, trade.Order.total)
        with pytest.raises(BadRequest, match=r"Order\.total is no member of Customer"):
            app.impact(customer, trade.Order.total)


def test_what_names_no_member_is_refused(engine: Engine) -> None:
    installed(engine, trade.Base)
    with Session(engine) as session:
        customer = trade.Customer(name="Ann")
        session.add(customer)
        with pytest.raises(BadRequest, match=r"7 names no member\. Give its name"):
            aw.is_stale(customer, 7)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
