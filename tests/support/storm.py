"""The model of the chaos test: all that Afterwork does for a shop, with a trace of each run that was committed."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, ForeignKey, Numeric, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw


class Base(aw.Model, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class NumberSeries(Base):
    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Effect(Base):
    """What a run did, committed with it. Nothing but Afterwork keeps a run from leaving two of them."""

    __tablename__ = "effect"
    id: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[str]
    work: Mapped[str]
    root: Mapped[str]


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0))
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", order_by="Order.id")
    badges: Mapped[list["Badge"]] = relationship(cascade="all, delete-orphan", order_by="Badge.id")

    @aw.derived(total)
    def compute_total(self) -> Decimal:
        return sum((order.total for order in self.orders), Decimal(0))

    @aw.method
    def assign_number(self) -> None:
        series = aw.session(self).get_one(NumberSeries, "customer")
        series.last += 1
        self.number = series.last
        leave_trace(self)

    @aw.method(lane=None)
    def greet(self) -> None:
        leave_trace(self)

    @aw.method(lane="mail", external=True)
    def write_to(self) -> None:
        leave_trace(self)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0))
    shipped: Mapped[bool] = mapped_column(default=False)
    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list["Line"]] = relationship(back_populates="order", cascade="all, delete-orphan", order_by="Line.id")

    @aw.derived(total)
    def compute_total(self) -> Decimal:
        return sum((line.quantity * line.price for line in self.lines), Decimal(0))

    @compute_total.expression
    def _total_in_sql(cls: Any) -> Any:
        lines = select(func.coalesce(func.sum(Line.quantity * Line.price), 0)).where(Line.order_id == cls.id)
        return lines.scalar_subquery()


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    order: Mapped[Order] = relationship(back_populates="lines")


class Badge(Base):
    """What customers get who have bought much."""

    __tablename__ = "badge"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))


class Badging(aw.ViewModel[Customer]):
    """A customer has one badge for each hundred of his total."""

    when = aw.WhenStale()

    @aw.action
    def badge(self) -> None:
        wanted = int(self.root.total // 100)
        badges = self.root.badges
        while len(badges) < wanted:
            badges.append(Badge())
        while len(badges) > wanted:
            badges.pop()


class Shipping(aw.ViewModel[Order]):
    """Each order is shipped once, though a round may find it before the last one's match has run."""

    when = aw.Every(seconds=1, criteria=select(Order).where(~Order.shipped), lane="ships")

    @aw.action
    def ship(self) -> None:
        if not self.root.shipped:
            self.root.shipped = True
            leave_trace(self.root)


def leave_trace(root: Any) -> None:
    """Write down that a run was done on an object."""
    run = aw.current_run()
    aw.session(root).add(Effect(run=str(run.id), work=run.work, root=aw.external_id(root)))


def create(engine: Engine) -> None:
    """The tables and the number series."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(NumberSeries(name="customer", last=0))
