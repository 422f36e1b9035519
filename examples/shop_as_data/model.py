"""The shop's model without its jobs: mapped classes, and the charts of their machines. The jobs are in jobs.toml.

The charts are Python, and so are the changes that they make on entering a state.
"""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import Engine, ForeignKey, false
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw
from examples.shop.mail import MailFlow
from examples.shop.model import Money
from examples.shop.orders import OrderFlow


class Base(DeclarativeBase):
    """The base of all classes."""


class SysAsyncTicket(aw.AsyncTicket, Base):
    """Work to be done later."""


class NumberSeries(Base):
    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    number: Mapped[int | None]
    reminders: Mapped[int] = mapped_column(default=0)
    total: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")


class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Money)
    stock: Mapped[int] = mapped_column(default=0, server_default="0")
    reserved: Mapped[int] = mapped_column(default=0, server_default="0")
    deliveries: Mapped[list["Delivery"]] = relationship(back_populates="product")
    lines: Mapped[list["OrderLine"]] = relationship(back_populates="product")

    def reserve(self, quantity: int) -> None:
        """Reserve some; a negative number gives them back. The database adds, so concurrent calls lose nothing."""
        self.reserved = Product.reserved + quantity
        aw.session(self).flush()  # a second change before the flush would replace this one


class Delivery(Base):
    __tablename__ = "delivery"
    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    quantity: Mapped[int]
    product: Mapped[Product] = relationship(back_populates="deliveries")


class Order(Base):
    __tablename__ = "customer_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    number: Mapped[int | None]
    confirmed: Mapped[bool] = mapped_column(default=False)
    exported: Mapped[datetime | None]
    due: Mapped[datetime | None]
    total: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    overdue: Mapped[bool] = mapped_column(default=False, server_default=false())
    state: Mapped[str | None] = mapped_column(index=True)
    flow = aw.machine(OrderFlow, state=state)
    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list["OrderLine"]] = relationship(back_populates="order")
    payments: Mapped[list["Payment"]] = relationship(back_populates="order")
    reservations: Mapped[list["Reservation"]] = relationship(cascade="all, delete-orphan")

    def set_aside(self) -> None:
        """Reserve everything that was ordered."""
        wanted: Counter[Product] = Counter()
        for line in self.lines:
            wanted[line.product] += line.quantity
        for product, quantity in wanted.items():
            product.reserve(quantity)
            self.reservations.append(Reservation(product=product, quantity=quantity))

    def give_back(self) -> None:
        """Release all reservations."""
        for reservation in self.reservations:
            reservation.product.reserve(-reservation.quantity)
        self.reservations.clear()


class OrderLine(Base):
    __tablename__ = "order_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Money)
    order: Mapped[Order] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship(back_populates="lines")


class Payment(Base):
    __tablename__ = "payment"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    amount: Mapped[Decimal] = mapped_column(Money)
    order: Mapped[Order] = relationship(back_populates="payments")


class Reservation(Base):
    __tablename__ = "reservation"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    quantity: Mapped[int]
    product: Mapped[Product] = relationship()


class ExchangeRate(Base):
    __tablename__ = "exchange_rate"
    currency: Mapped[str] = mapped_column(primary_key=True)
    rate: Mapped[Decimal]
    fetched: Mapped[datetime]


class OutgoingMail(Base):
    __tablename__ = "outgoing_mail"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(default=lambda: uuid4().hex, unique=True)
    recipient: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    answer: Mapped[str | None]
    state: Mapped[str | None] = mapped_column(index=True)
    flow = aw.machine(MailFlow, state=state)


def create(engine: Engine) -> None:
    """Create the shop's own tables, and its series of numbers."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all([NumberSeries(name="customer", last=0), NumberSeries(name="order", last=0)])
