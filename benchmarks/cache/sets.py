"""Models whose totals are computed in sets: at commit, level by level, or several for each customer."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKey, Numeric, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.model.derived import Derived

Expression = Callable[[Any], Any]


def summing(levels: int = 1, *, totals: int = 1, at: Literal["commit"] | None = None) -> type[DeclarativeBase]:
    """Return the base of a new model: customers with orders with lines, and totals that only an expression computes.

    On one level, a customer's total is the sum over the lines, and there may be several of them. On two, it is that of
    the orders' totals. On three, these are the sums of the lines' amounts.
    """

    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Base):
        pass

    class Customer(Base):
        __tablename__ = "customer"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
        name: Mapped[str]

    class Order(Base):
        __tablename__ = "customer_order"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
        customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)

    class Line(Base):
        __tablename__ = "line"
        id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
        order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
        quantity: Mapped[int]
        price: Mapped[Decimal] = mapped_column(Numeric(10, 2))

    def of_all_lines(cls: Any) -> Any:
        lines = select(_sum(Line.quantity * Line.price)).join(Order, Order.id == Line.order_id)
        return lines.where(Order.customer_id == cls.id).correlate(cls).scalar_subquery()

    def of_orders(cls: Any) -> Any:
        return select(_sum(getattr(Order, "total"))).where(Order.customer_id == cls.id).scalar_subquery()  # noqa: B009

    def of_lines(cls: Any) -> Any:
        amount = Line.quantity * Line.price if levels == 2 else getattr(Line, "amount")  # noqa: B009
        return select(_sum(amount)).where(Line.order_id == cls.id).scalar_subquery()

    for name in ["total", *(f"total_{number}" for number in range(2, totals + 1))]:
        _derive(Customer, name, of_all_lines if levels == 1 else of_orders, at)
    if levels > 1:
        _derive(Order, "total", of_lines, at)
    if levels > 2:
        _derive(Line, "amount", lambda cls: cls.quantity * cls.price, at)
    Base.kept = SysAsyncTicket, Customer, Order, Line  # a base forgets local classes
    return Base


def _derive(cls: type, name: str, expression: Expression, at: Literal["commit"] | None) -> None:
    """Add a member to a class that its expression computes."""

    def compute(self: Any) -> Decimal:
        raise NotImplementedError("The expression computes it.")

    compute.__name__ = f"compute_{name}"
    setattr(cls, name, mapped_column(Numeric(14, 2), nullable=False, server_default="0"))
    derived = Derived[Any, Decimal](compute, name, aw.WhenStale(), at=at)
    derived.expression(expression)
    setattr(cls, compute.__name__, derived)


def _sum(amount: Any) -> Any:
    return func.coalesce(func.sum(amount), 0)
