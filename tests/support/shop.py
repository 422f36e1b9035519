"""The model that most tests use: a shop with customers who need numbers."""

import uuid
from datetime import timedelta

from sqlalchemy import Engine, ForeignKey, select
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


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="customer")
    name: Mapped[str]
    number: Mapped[int | None]
    notes: Mapped[str] = mapped_column(default="")
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "customer"}

    @aw.method(precondition=lambda self: self.number is None)
    def assign_number(self) -> None:
        series = aw.session(self).get_one(NumberSeries, "customer")
        series.last += 1
        self.number = series.last

    @aw.method
    def fail(self) -> None:
        self.notes = "never saved"
        raise ValueError(f"{self.name} can't be done")

    @aw.method(retry=aw.Retry(attempts=3, backoff=timedelta(minutes=1)))
    def fail_thrice(self) -> None:
        raise ValueError(f"{self.name} can't be done yet")

    @aw.method(external=True)
    def export(self) -> None:
        self.notes += f"exported by {aw.current_run().id}"

    @aw.method(lane="mail")
    def send_mail(self) -> None:
        self.notes += "mailed"

    @aw.method(lane=None)
    def calculate(self) -> None:
        self.notes += "calculated"

    def not_marked(self) -> None:
        raise AssertionError("only what is marked may run")


class VipCustomer(Customer):
    """Single-table inheritance."""

    __mapper_args__ = {"polymorphic_identity": "vip"}


class Order(Base):
    __tablename__ = "order_"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship(back_populates="orders")
    notes: Mapped[str] = mapped_column(default="")

    @aw.method
    def touch(self) -> None:
        self.notes += "touched"


class TheCustomerNumberAssigner(aw.ViewModel[Customer]):
    @aw.action
    def assign(self) -> None:
        self.root.assign_number()


def add_customer(session: Session, name: str = "Ann") -> Customer:
    """A customer in the session, not flushed."""
    customer = Customer(name=name)
    session.add(customer)
    return customer


def numbers(engine: Engine) -> list[int | None]:
    """The numbers of all customers, by customer."""
    with Session(engine) as session:
        return list(session.scalars(select(Customer.number).order_by(Customer.id)))


def create(engine: Engine) -> None:
    """The shop's tables and its number series."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(NumberSeries(name="customer", last=0))
