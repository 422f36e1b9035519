"""Totals that are made of rows two steps away, and that can be said in SQL."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, ForeignKey, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw


class Deep(DeclarativeBase): ...


DeepTicket = type("SysAsyncTicket", (aw.AsyncTicket, Deep), {})


class Customer(Deep):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    vip: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    orders: Mapped[list["Order"]] = relationship()

    @aw.derived(total)
    def compute_total(self) -> int:
        return self.vip + sum(line.quantity for order in self.orders for line in order.lines)

    @compute_total.expression
    def _in_sql(cls: Any) -> Any:
        lines = select(func.coalesce(func.sum(Line.quantity), 0)).join(Order, Order.id == Line.order_id)
        of_customer = lines.where(Order.customer_id == cls.id).limit(1)  # which keeps it with a manifest
        return cls.vip + of_customer.scalar_subquery()


class Order(Deep):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    lines: Mapped[list["Line"]] = relationship()


class Line(Deep):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    quantity: Mapped[int] = mapped_column(default=1)


def one_order(engine: Engine) -> None:
    """A customer with an order of two lines of one piece each, whose total is made and known to be quick."""
    with Session(engine) as session, session.begin():
        session.add(Customer(id=1, orders=[Order(id=1, lines=[Line(id=1), Line(id=2)])]))
    quick = aw.Settings(at_once=timedelta(seconds=5))
    aw.Afterwork(Deep, settings=quick).run_until_idle(engine)
