"""A shop that uses each part of Afterwork, as a database of an older release has it. It stays as it is."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    number: Mapped[int | None]
    total: Mapped[int] = mapped_column(default=0)
    largest: Mapped[int] = mapped_column(default=0)
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    @aw.method(precondition=lambda self: self.number is None)
    def assign_number(self) -> None:
        taken = aw.session(self).scalar(select(func.max(Customer.number)))
        self.number = (taken or 0) + 1

    @aw.method
    def shout(self) -> None:
        self.name = self.name.upper()

    @aw.derived(total)
    def compute_total(self) -> int:
        return sum(order.amount for order in self.orders)

    @aw.derived(largest, last_change=True)
    def compute_largest(self) -> int:
        return max((order.amount for order in self.orders), default=0)

    @compute_largest.expression
    def _largest_in_sql(cls: Any) -> Any:
        return select(func.coalesce(func.max(Order.amount), 0)).where(Order.customer_id == cls.id).scalar_subquery()


@aw.track_history
class OrderFlow(StateChart[Any]):
    placed, paid, shipped = State(initial=True), State(), State(final=True)
    placed.to(paid, cond="is_paid")
    ship = paid.to(shipped)


class Order(Base):
    __tablename__ = "customer_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    amount: Mapped[int]
    received: Mapped[int] = mapped_column(default=0)
    reminders: Mapped[int] = mapped_column(default=0)
    state: Mapped[str | None] = mapped_column()
    flow = aw.machine(OrderFlow, state=state)
    customer: Mapped[Customer] = relationship(back_populates="orders")

    @property
    def is_paid(self) -> bool:
        return self.received >= self.amount


class Remind(aw.ViewModel, root=Order):
    when = aw.Every(days=1, criteria=select(Order).where(Order.state == "placed"))

    @aw.action
    def remind(self) -> None:
        self.root.reminders += 1


class Once(aw.ViewModel, model=Base):
    when = aw.Once()

    @aw.action
    def greet(self) -> str:
        return "hello"


YEARS = timedelta(days=36500)
"""The receipts of what was done stay for the tests."""


def customers() -> Iterator[Customer]:
    """Customers with orders, paid and not paid."""
    yield Customer(name="Ann", orders=[Order(amount=20, received=20), Order(amount=30)])
    yield Customer(name="Bob", orders=[Order(amount=5)])
