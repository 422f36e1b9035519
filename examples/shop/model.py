"""The shop's model: plain SQLAlchemy, with marks for methods that can be asked for later."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Engine, ForeignKey, false, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

import afterwork as aw
from examples.shop.orders import OrderFlow
from examples.shop.post import PostOfficeClosed, post_office


class Money(TypeDecorator[Decimal]):
    """An amount, stored as a whole number of cents: exact on every database, even on those without decimals."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> int | None:
        return None if value is None else int((Decimal(value) * 100).to_integral_value())

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / 100


class Base(aw.Model, DeclarativeBase):
    """The base of all classes. `aw.Model` only declares `Customer.ViewModels` for type checkers."""


class SysAsyncTicket(aw.AsyncTicket, Base):
    """Work to be done later. A class of this name is all that Afterwork needs."""


class NumberSeries(Base):
    """A series of numbers without gaps or duplicates, if jobs take from it one at a time."""

    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)

    def take(self) -> int:
        """Take the next number."""
        self.last += 1
        return self.last


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    number: Mapped[int | None]
    reminders: Mapped[int] = mapped_column(default=0)
    total: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    @aw.derived(total)
    def compute_total(self) -> Decimal:
        """Return the total of all orders. It reads other derived values, and becomes right again when they do."""
        return sum((order.total for order in self.orders), Decimal(0))

    @aw.method(precondition=lambda self: self.number is None)
    def assign_number(self) -> None:
        """Take the next customer number. Runs alone, since all jobs that name no lane share one."""
        self.number = aw.session(self).get_one(NumberSeries, "customer").take()

    @aw.method
    def remind(self) -> None:
        """Remind the customer of unpaid orders."""
        self.reminders += 1


class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Money)
    stock: Mapped[int] = mapped_column(default=0, server_default="0")
    reserved: Mapped[int] = mapped_column(default=0, server_default="0")
    """The number reserved for orders, including those that have been shipped."""
    deliveries: Mapped[list["Delivery"]] = relationship(back_populates="product")
    lines: Mapped[list["OrderLine"]] = relationship(back_populates="product")

    @aw.derived(stock)
    def compute_stock(self) -> int:
        """Return the number received, less the number sold."""
        return sum(delivery.quantity for delivery in self.deliveries) - sum(line.quantity for line in self.lines)

    @compute_stock.expression
    def _stock_in_sql(cls: Any) -> Any:
        received = select(func.coalesce(func.sum(Delivery.quantity), 0)).where(Delivery.product_id == cls.id)
        sold = select(func.coalesce(func.sum(OrderLine.quantity), 0)).where(OrderLine.product_id == cls.id)
        return received.scalar_subquery() - sold.scalar_subquery()

    @property
    def free(self) -> int:
        """The number that could be reserved now."""
        return sum(delivery.quantity for delivery in self.deliveries) - self.reserved

    def reserve(self, quantity: int) -> None:
        """Reserve some; a negative number gives them back. The database adds, so concurrent calls lose nothing."""
        self.reserved = Product.reserved + quantity
        aw.session(self).flush()  # a second change before the flush would replace this one


class Delivery(Base):
    """A quantity of a product that has arrived."""

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
    """When bookkeeping received it, in UTC."""
    due: Mapped[datetime | None]
    """When it must be paid, in UTC."""
    total: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    overdue: Mapped[bool] = mapped_column(default=False, server_default=false())
    state: Mapped[str | None] = mapped_column(index=True)
    """The state of `flow`."""
    flow = aw.machine(OrderFlow, state=state)
    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list["OrderLine"]] = relationship(back_populates="order")
    payments: Mapped[list["Payment"]] = relationship(back_populates="order")
    reservations: Mapped[list["Reservation"]] = relationship(cascade="all, delete-orphan")

    @aw.derived(total)
    def compute_total(self) -> Decimal:
        """Return the price of the order. No dependencies are declared: Afterwork sees what the calculation reads."""
        return sum((line.amount for line in self.lines), Decimal(0))

    @compute_total.expression
    def _total_in_sql(cls: Any) -> Any:
        """Return the same in SQL, for many orders at once. This is optional."""
        amounts = select(func.coalesce(func.sum(OrderLine.quantity * OrderLine.price), 0))
        return amounts.where(OrderLine.order_id == cls.id).scalar_subquery()

    @property
    def paid(self) -> Decimal:
        """The sum of all payments. It is not stored; its reads count as reads of the calculations that use it."""
        return sum((payment.amount for payment in self.payments), Decimal(0))

    @aw.derived(overdue)
    def compute_overdue(self) -> bool:
        """Return whether payment is late. Nobody polls the clock: this runs when the due time has come."""
        return self.paid < self.total and self.due is not None and aw.passed(self.due.replace(tzinfo=UTC))

    @property
    def is_covered(self) -> bool:
        """True if something was ordered, and all of it is paid."""
        return 0 < self.total <= self.paid

    @property
    def wanted(self) -> Counter["Product"]:
        """The number of each product that was ordered."""
        return sum((Counter({line.product: line.quantity}) for line in self.lines), Counter())

    @property
    def is_in_stock(self) -> bool:
        """True if everything that was ordered could be reserved."""
        return all(quantity <= product.free for product, quantity in self.wanted.items())

    def set_aside(self) -> None:
        """Reserve everything that was ordered. Lines may change later, so each reservation is recorded."""
        for product, quantity in self.wanted.items():
            product.reserve(quantity)
            self.reservations.append(Reservation(product=product, quantity=quantity))

    def give_back(self) -> None:
        """Release all reservations."""
        for reservation in self.reservations:
            reservation.product.reserve(-reservation.quantity)
        self.reservations.clear()

    @aw.method(precondition=lambda self: self.paid > 0)
    def refund(self) -> None:
        """Pay back everything that was paid."""
        self.payments.append(Payment(amount=-self.paid))

    @aw.method(lane="orders", precondition=lambda self: self.number is None)
    def assign_number(self) -> None:
        """Take the next order number. Runs in a lane of its own, so that orders don't wait for customers."""
        self.number = aw.session(self).get_one(NumberSeries, "order").take()

    @aw.method(external=True, retry=aw.Retry(attempts=5, on=(PostOfficeClosed,)))
    def confirm(self) -> None:
        """Write to the customer. It talks to another system, so it runs with no transaction open. If the post office is
        closed, it is tried again 10, 20, 40 and 80 seconds later, with the same key."""
        post_office.send(f"Dear {self.customer.name}, thank you for your order.", key=aw.current_run().id)
        self.confirmed = True


class OrderLine(Base):
    __tablename__ = "order_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Money)
    """The agreed price of one. The product's own price may have changed since."""
    order: Mapped[Order] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship(back_populates="lines")

    @property
    def amount(self) -> Decimal:
        return self.quantity * self.price


class Payment(Base):
    __tablename__ = "payment"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    amount: Mapped[Decimal] = mapped_column(Money)
    order: Mapped[Order] = relationship(back_populates="payments")


class Reservation(Base):
    """A quantity of a product that is reserved for an order."""

    __tablename__ = "reservation"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    quantity: Mapped[int]
    product: Mapped[Product] = relationship()


class ExchangeRate(Base):
    """The exchange rate of a currency, fetched from another system."""

    __tablename__ = "exchange_rate"
    currency: Mapped[str] = mapped_column(primary_key=True)
    rate: Mapped[Decimal]
    fetched: Mapped[datetime]


class TheCustomerNumberAssigner(aw.ViewModel[Customer]):
    """Another way to assign a number: a view model, whose actions run from top to bottom."""

    @aw.action(enabled=lambda self: self.root.number is None)
    def assign(self) -> None:
        self.root.assign_number()


def create(engine: Engine) -> None:
    """Create the shop's own tables, and its series of numbers."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all([NumberSeries(name="customer", last=0), NumberSeries(name="order", last=0)])
