"""Before any server has run, what nobody has calculated is stale, and `fresh` calculates it."""

from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

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
        explained = app.explain(customer, "Greet")
        assert explained.state == "never run"
        assert str(explained).splitlines()[1] == "  No server has come to it yet."


def test_what_is_not_there_has_no_explanation(engine: Engine) -> None:
    only = release()
    insight = installed(engine, only.base).insight(engine)
    with pytest.raises(NoCacheYet, match="there is no such object"):
        insight.explain("Customer!1", "Greet")


def test_a_value_made_of_other_values_is_calculated_with_them(engine: Engine) -> None:
    installed(engine, trade.Base)
    with Session(engine) as session, session.begin():
        customer = trade.Customer(name="Ann")
        customer.orders = [trade.Order(lines=[trade.Line(quantity=2, price=Decimal(3))])]
        session.add(customer)
        session.flush()
        assert aw.fresh(customer, "total") == 6


@cache
def misspelt() -> Any:
    """Return a model in which the expression of a member names a column that is not there."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Box(Base):
        __tablename__ = "box"
        id: Mapped[int] = mapped_column(primary_key=True)
        n: Mapped[int] = mapped_column(default=0)
        twice: Mapped[int] = mapped_column(default=0)
        once: Mapped[int] = mapped_column(default=0)

        @aw.derived(twice)
        def compute_twice(self) -> int:
            return self.n * 2

        @compute_twice.expression
        def _twice_in_sql(cls: Any) -> Any:
            return cls.nn * 2

        @aw.derived(once)
        def compute_once(self) -> int:
            return self.n

        @compute_once.expression
        def _once_in_sql(cls: Any) -> Any:
            return cls.n * 1

    Base.metadata.info["held"] = [SysAsyncTicket, Box]
    return Base


def test_an_expression_that_raises_is_told_by_check_and_is_the_reason_why_a_cache_is_not_in_sets(
    engine: Engine,
) -> None:
    insight = installed(engine, misspelt()).insight(engine)
    (fault,) = [finding for finding in insight.check() if finding.is_fault]
    caches = {summary.name: summary for summary in insight.caches()}

    assert fault.what.startswith("Box.twice: its expression raises AttributeError: type object 'Box' has no attribute")
    assert "has no attribute 'nn'" in (caches["Box.twice"].why_not_in_sets or "")
    assert insight.cache("Box.twice").why_not_in_sets == caches["Box.twice"].why_not_in_sets
    assert (caches["Box.twice"].way, caches["Box.once"].way) == ("by its reads", "in sets")
