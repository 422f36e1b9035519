"""Whether a value is right now, and which one would be: also where it is made of other derived values that the server
has not come to yet, however those were read and whatever the type of the keys."""

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Date, Engine, ForeignKey, Integer, String, Uuid, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw

KEYS: dict[str, tuple[Any, Callable[[int], Any]]] = {
    "whole": (Integer(), lambda n: n),
    "text": (String(10), lambda n: f"k{n}"),
    "unique_id": (Uuid(), lambda n: uuid.UUID(int=n)),
    "day": (Date(), lambda n: date(2026, 1, n)),
}


class Trade:
    """Two customers with an order each, of one line. Their totals are made in each way of those of the orders."""

    def __init__(self, engine: Engine, name: str) -> None:
        kind, self.key = KEYS[name]

        class Base(DeclarativeBase): ...

        class SysAsyncTicket(aw.AsyncTicket, Base): ...

        class Customer(Base):
            __tablename__ = "customer"
            id: Mapped[Any] = mapped_column(kind, primary_key=True)
            by_objects: Mapped[int | None] = mapped_column()
            by_expression: Mapped[int | None] = mapped_column()
            by_text: Mapped[int | None] = mapped_column()
            by_query: Mapped[int | None] = mapped_column()
            through: Mapped[int | None] = mapped_column()
            orders: Mapped[list["Order"]] = relationship()

            @aw.derived(by_objects)
            def compute_by_objects(self) -> int:
                return sum(order.total or 0 for order in self.orders)

            @aw.derived(by_expression)
            def compute_by_expression(self) -> int:
                return sum(order.total or 0 for order in self.orders)

            @compute_by_expression.expression
            def _in_sql(cls: Any) -> Any:
                total = func.coalesce(func.sum(Order.total), 0)
                return select(total).where(Order.customer_id == cls.id).scalar_subquery()

            compute_by_text = aw.derived(by_text)(aw.ocl("self.orders->collect(o | o.total)->sum"))

            @aw.derived(by_query)
            def compute_by_query(self) -> int:
                return aw.session(self).scalar(select(func.sum(Order.total)).where(Order.customer_id == self.id)) or 0

            @aw.derived(through)
            def compute_through(self) -> int:
                return (self.by_objects or 0) + (self.by_expression or 0)

        class Order(Base):
            __tablename__ = "orders"
            id: Mapped[Any] = mapped_column(kind, primary_key=True)
            customer_id: Mapped[Any] = mapped_column(kind, ForeignKey("customer.id"))
            total: Mapped[int | None] = mapped_column()
            lines: Mapped[list["Line"]] = relationship()

            @aw.derived(total)
            def compute_total(self) -> int:
                return sum(line.price for line in self.lines)

        class Line(Base):
            __tablename__ = "line"
            id: Mapped[int] = mapped_column(primary_key=True)
            order_id: Mapped[Any] = mapped_column(kind, ForeignKey("orders.id"))
            price: Mapped[int]

        self.Customer, self.Line, self.kept = Customer, Line, (SysAsyncTicket, Order)
        Base.metadata.create_all(engine)
        self.app = aw.Afterwork(Base)
        self.app.install(engine)
        with Session(engine) as session, session.begin():
            for n in (1, 2):
                order = Order(id=self.key(n), lines=[Line(id=n, price=n)])
                session.add(Customer(id=self.key(n), orders=[order]))
        self.app.run_until_idle(engine)


WAYS = ("by_objects", "by_expression", "by_text", "through")
"""The members that are made of other members by objects, or have a side in Python or OCL that is."""


@pytest.mark.parametrize("name", KEYS)
def test_what_is_made_of_others_is_as_stale_and_as_fresh_as_they_are(engine: Engine, name: str) -> None:
    trade = Trade(engine, name)
    with Session(engine) as session:
        ann, bob = (session.get_one(trade.Customer, trade.key(n)) for n in (1, 2))
        assert not any(aw.is_stale(ann, way) for way in (*WAYS, "by_query"))

        session.get_one(trade.Line, 1).price = 10

        assert all(aw.is_stale(ann, way) for way in (*WAYS, "by_query"))
        assert [aw.fresh(ann, way) for way in WAYS] == [10, 10, 10, 20]
        assert [aw.fresh(bob, way) for way in WAYS] == [2, 2, 2, 4]
        assert not aw.is_stale(bob, "by_objects")
        if name == "whole":  # by which rows can be asked for
            assert not any(aw.is_stale(bob, way) for way in (*WAYS, "by_query"))
        session.commit()
    trade.app.run_until_idle(engine)
    with Session(engine) as session:
        ann = session.get_one(trade.Customer, trade.key(1))
        assert not any(aw.is_stale(ann, way) for way in (*WAYS, "by_query"))
        assert [getattr(ann, way) for way in WAYS] == [10, 10, 10, 20]
