"""The model of the benchmark of caches: customers with orders with lines. A customer's total is the sum over its lines.

The job is written with no thought for loading. `say_it_in_sql` gives it its SQL side.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Numeric, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw


class Base(aw.Model, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str]
    total: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    @aw.derived(total)
    def compute_total(self) -> Decimal:
        return sum((line.quantity * line.price for order in self.orders for line in order.lines), Decimal(0))


class Order(Base):
    __tablename__ = "customer_order"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list["Line"]] = relationship(back_populates="order")


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    order: Mapped[Order] = relationship(back_populates="lines")


def say_it_in_sql() -> None:
    """Give the job its SQL side from now on. For a process that serves nothing else."""
    Customer.compute_total.expression(total_in_sql)


def total_in_sql(customer: type[Customer]) -> Any:
    total = func.coalesce(func.sum(Line.quantity * Line.price), 0)
    return select(total).join(Order).where(Order.customer_id == customer.id).correlate(customer).scalar_subquery()
