"""The model: plain SQLAlchemy, with marks for what is done later and what is kept right."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, ForeignKey, MetaData, String, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from shop import mail
from shop.flow import OrderFlow


class Base(aw.Model, DeclarativeBase):
    # Names that migrations can refer to, on SQLite as well.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class SysAsyncTicket(aw.AsyncTicket, Base):
    """Work to be done later, saved with the data that it is about."""


class NumberSeries(Base):
    """Numbers without gaps."""

    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    last: Mapped[int] = mapped_column(default=0, server_default="0")


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(200), unique=True)
    total: Mapped[int] = mapped_column(default=0, server_default="0")
    """What they have ordered, in cents."""
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    @aw.derived(total)
    def compute_total(self) -> int:
        """Add up the orders. Nobody says what this depends on: Afterwork sees what it reads."""
        return sum(order.total for order in self.orders if not order.flow.is_in("cancelled"))


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    number: Mapped[int | None] = mapped_column(unique=True)
    total: Mapped[int] = mapped_column(default=0, server_default="0")
    state: Mapped[str | None] = mapped_column(String(40), index=True)
    exported: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """When bookkeeping was told."""
    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list["OrderLine"]] = relationship(back_populates="order")
    payments: Mapped[list["Payment"]] = relationship(back_populates="order")
    flow = aw.machine(OrderFlow, state=state)

    @aw.derived(total)
    def compute_total(self) -> int:
        return sum(line.quantity * line.price for line in self.lines)

    @compute_total.expression
    def _total_in_sql(cls: Any) -> Any:
        """Say the same in SQL, so that the database keeps the totals of many orders right by one statement."""
        amounts = select(func.coalesce(func.sum(OrderLine.quantity * OrderLine.price), 0))
        return amounts.where(OrderLine.order_id == cls.id).scalar_subquery()

    @property
    def is_covered(self) -> bool:
        return 0 < self.total <= sum(payment.amount for payment in self.payments)

    @aw.method(precondition=lambda self: self.number is None)
    def assign_number(self) -> None:
        """Take the next number. Jobs that name no lane run one at a time, so no number is missing or taken twice."""
        series = aw.session(self).get_one(NumberSeries, "order")
        series.last += 1
        self.number = series.last

    @aw.method(external=True, lane=None, retry=aw.Retry(attempts=5, on=(OSError,)))
    def confirm(self) -> None:
        """Write to the customer, with no transaction open. The key stays the same, however often it is tried."""
        mail.send(self.customer.email, "Thank you for your order.", key=str(aw.current_run().id))

    @aw.method(external=True, lane=None, retry=aw.Retry(attempts=5, on=(OSError,)))
    def remind(self) -> None:
        """Write to a customer who has not paid."""
        mail.send(self.customer.email, "Your order waits for your payment.", key=str(aw.current_run().id))


class OrderLine(Base):
    __tablename__ = "order_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    product: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int]
    price: Mapped[int]
    """In cents, for one."""
    order: Mapped[Order] = relationship(back_populates="lines")


class Payment(Base):
    __tablename__ = "payment"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    amount: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="payments")


class ExportOrder(aw.ViewModel[Order]):
    """Tells bookkeeping of each order that is paid, every ten minutes."""

    when = aw.Every(minutes=10, criteria=select(Order).where(Order.state == "paid", Order.exported.is_(None)))
    lane = None

    @aw.action
    def export(self) -> None:
        self.root.exported = datetime.now(UTC)


work = aw.Afterwork(Base)
"""What `afterwork serve shop.model:work` runs."""
