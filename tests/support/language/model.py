"""A model for expressions, with nulls, an enumeration, inheritance, a link table, a tree, and encoded values."""

import enum
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, Engine, Enum, ForeignKey, Numeric, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from afterwork.clock import ManualClock
from afterwork.language.typed.methods import MethodParameter, MethodSignature, ModelMethod
from afterwork.language.typed.names import Names
from afterwork.language.typed.types import INTEGER, STRING
from afterwork.model.utc_datetime import UtcDateTime


class Base(DeclarativeBase): ...


class Kind(enum.Enum):
    Small = "small"
    Large = "large"


class Cents(TypeDecorator[Decimal]):
    """An amount that the database holds as a whole number."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(Decimal(value) * 100)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / 100


tagged = Table(
    "tagged",
    Base.metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    number: Mapped[int | None]
    note: Mapped[str | None]
    state: Mapped[str] = mapped_column(default="Active")
    kind: Mapped[Kind] = mapped_column(Enum(Kind), default=Kind.Small)
    active: Mapped[bool | None]
    born: Mapped[date | None]
    credit: Mapped[Decimal] = mapped_column(Cents, default=Decimal(0))
    type: Mapped[str] = mapped_column(default="Customer")
    referrer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    referrer: Mapped["Customer | None"] = relationship(remote_side=[id], back_populates="referred")
    referred: Mapped[list["Customer"]] = relationship(back_populates="referrer", order_by="Customer.id")
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", order_by="Order.id")
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "Customer"}

    secret = "not of the model"


class VipCustomer(Customer):
    __tablename__ = "vip"
    id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    discount: Mapped[float] = mapped_column(default=0.0)
    __mapper_args__ = {"polymorphic_identity": "VipCustomer"}


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0))
    paid: Mapped[bool | None]
    due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    made: Mapped[datetime | None]
    grace: Mapped[int | None]
    patience: Mapped[timedelta | None]
    customer: Mapped[Customer | None] = relationship(back_populates="orders")
    lines: Mapped[list["Line"]] = relationship(back_populates="order", cascade="all, delete-orphan", order_by="Line.id")
    tags: Mapped[list[Tag]] = relationship(secondary=tagged, order_by=Tag.id)


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    quantity: Mapped[int] = mapped_column(default=1)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(1))
    weight: Mapped[float | None]
    order: Mapped[Order] = relationship(back_populates="lines")


class Settings(Base):
    __tablename__ = "settings"
    id: Mapped[int] = mapped_column(primary_key=True)
    last_number: Mapped[int] = mapped_column(default=0)


def assign_number(customer: Any) -> None:
    customer.number = 4711


METHODS = {
    "assign_number": ModelMethod(
        "assign_number", lambda _, customer: assign_number(customer), lambda customer: customer.number is None
    ),
    "rename": ModelMethod(
        "rename",
        lambda _, customer, name: setattr(customer, "name", name),
        signature=lambda: MethodSignature((MethodParameter("name", STRING),)),
    ),
    "plus": ModelMethod(
        "plus",
        lambda _, customer, n: n + 1,
        signature=lambda: MethodSignature((MethodParameter("n", INTEGER),), INTEGER, has_effects=False),
    ),
    "fails": ModelMethod(
        "fails", lambda _, customer: int("x"), signature=lambda: MethodSignature((), INTEGER, has_effects=False)
    ),
}


def find_object(session: Session, cls: type, text: str) -> Any:
    return session.get(cls, int(text.split("!")[1]))


def names() -> Names:
    """Return the names of the model, with methods, view models and external ids as an application supplies them."""
    return Names.of(
        Base,
        methods=lambda cls: METHODS if issubclass(cls, Customer) else {},
        view_models=lambda cls: ("TheCustomerNumberAssigner",) if cls is Customer else (),
        external_id=lambda obj: f"{type(obj).__name__}!{obj.id}",
        find=find_object,
        clock=ManualClock(),
    )


NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def fill(session: Session) -> None:
    """Add three customers: Ada with two orders, bob with one, and Åsa, who is a VIP, with none; an order of nobody."""
    ada = Customer(id=1, name="Ada", number=7, active=True, born=date(1815, 12, 10), credit=Decimal("2.50"))
    bob = Customer(id=2, name="bob", note="", kind=Kind.Large, state="Blocked", referrer=ada)
    asa = VipCustomer(id=3, name="Åsa", number=9, note="a%b_c", active=False, discount=0.25, referrer=ada)
    red, blue = Tag(id=1, name="red"), Tag(id=2, name="blue")
    first = Order(id=1, customer=ada, total=Decimal("50.00"), paid=True, due=NOON, made=datetime(2024, 1, 31))
    first.grace, first.patience = 3, timedelta(days=1, hours=2, microseconds=5)
    first.tags = [red, blue]
    first.lines = [
        Line(id=1, quantity=2, price=Decimal("10.00"), weight=0.5),
        Line(id=2, quantity=3, price=Decimal("10.00")),
    ]
    second = Order(id=2, customer=ada, total=Decimal("150.10"), paid=False, due=NOON + timedelta(days=3))
    second.grace, second.patience = -1, timedelta(hours=-3)
    second.tags = [red]
    second.lines = [Line(id=3, quantity=1, price=Decimal("150.10"), weight=1.5)]
    third = Order(id=3, customer=bob, total=Decimal("0.00"))
    fourth = Order(id=4, total=Decimal("7.00"), paid=True)
    session.add_all([ada, bob, asa, first, second, third, fourth])


def create(engine: Engine) -> None:
    """Create the tables with the objects of `fill`."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        fill(session)
