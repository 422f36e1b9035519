"""Roots that are calculated together: whatever one leaves on objects, another finds all as the database has it."""

import weakref
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import cache, cached_property
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, ForeignKey, event, literal, select, text
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    contains_eager,
    lazyload,
    mapped_column,
    query_expression,
    reconstructor,
    relationship,
    selectinload,
    with_expression,
    with_loader_criteria,
)
from sqlalchemy.orm.attributes import set_committed_value

import afterwork as aw
from tests.support.prepared import installed

NOTED: ContextVar[object] = ContextVar("noted", default=None)
KEPT: "weakref.WeakKeyDictionary[Customer, int]" = weakref.WeakKeyDictionary()


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Slotted:
    __slots__ = ("kept",)


class Customer(Slotted, Base):
    """A class that keeps what it has made of its columns in each way that Python has."""

    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")
    percent: Mapped[int] = mapped_column(default=0)
    notes: Mapped[Any] = mapped_column(JSON, nullable=True)
    bonus: Mapped[int] = query_expression()
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", order_by="Order.id")

    @cached_property
    def by_property(self) -> int:
        return self.percent * 2

    @cache
    def by_function(self) -> int:
        return self.percent * 3

    def by_slot(self) -> int:
        if not hasattr(self, "kept"):
            self.kept = self.percent * 4
        return self.kept

    def by_dictionary(self) -> int:
        return KEPT.setdefault(self, self.percent * 5)

    @reconstructor
    def begin(self) -> None:
        self.heading = self.name.upper()


@event.listens_for(Customer, "load")
def _loaded(customer: Any, _: object) -> None:
    customer.greeting = f"Dear {customer.name}"


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    way: Mapped[str] = mapped_column(default="", server_default="")
    seen: Mapped[str | None] = mapped_column(default=None)
    customer: Mapped[Customer] = relationship(back_populates="orders")

    @aw.derived(seen)
    def compute_seen(self) -> str:
        WAYS[self.way](aw.session(self), self)
        return look(aw.session(self), self)


def look(session: Session, order: Order) -> str:
    """Everything that others may have left behind, in words."""
    customer: Any = order.customer
    seen = [customer.by_property, customer.by_function(), customer.by_slot(), customer.by_dictionary()]
    seen += [customer.heading, customer.greeting, customer.bonus, customer.notes, customer.percent]
    seen += [[of_customer.id for of_customer in customer.orders], getattr(customer, "left", None), NOTED.get()]
    return repr([*seen, dict(session.info), session.connection().info.get("noted"), order.way])


def mine(order: Order) -> Any:
    return select(Customer).where(Customer.id == order.customer_id)


def joined(session: Session, order: Order) -> None:
    wanted = mine(order).join(Customer.orders).where(Order.id == 2).options(contains_eager(Customer.orders))
    session.scalars(wanted).unique().one()


def sorted_in_place(session: Session, order: Order) -> None:
    order.customer.orders.sort(key=lambda one: -one.id)


def changed_in_place(session: Session, order: Order) -> None:
    order.customer.notes["more"] = 1


def left(session: Session, order: Order) -> None:
    order.customer.__dict__["left"] = "something"


def set_as_loaded(session: Session, order: Order) -> None:
    set_committed_value(order.customer, "percent", 99)
    set_committed_value(order.customer, "orders", [order])


def set_own_as_loaded(session: Session, order: Order) -> None:
    set_committed_value(order, "seen", "what it will not be")


Way = Callable[[Session, Order], object]
WAYS: dict[str, Way] = {
    "": lambda session, order: None,
    "looking": look,
    "a filtered join": joined,
    "a condition": lambda session, order: session.scalars(
        mine(order).options(selectinload(Customer.orders.and_(Order.id == 2)))
    ).one(),
    "a condition, when it is read": lambda session, order: session.scalars(
        mine(order).options(lazyload(Customer.orders.and_(Order.id == 2)))
    ).one(),
    "a criteria": lambda session, order: session.scalars(
        mine(order).options(with_loader_criteria(Order, Order.id == 2), selectinload(Customer.orders))
    ).one(),
    "an expression": lambda session, order: session.scalars(
        mine(order).options(with_expression(Customer.bonus, literal(7)))
    ).one(),
    "to be loaded in a way of its own": lambda session, order: session.scalars(
        mine(order).options(lazyload(Customer.orders))
    ).one(),
    "loaded anew": lambda session, order: session.scalars(mine(order).execution_options(populate_existing=True)).one(),
    "refreshed": lambda session, order: session.refresh(order.customer),
    "expired": lambda session, order: session.expire(order.customer),
    "sorted in place": sorted_in_place,
    "changed in place": changed_in_place,
    "something left": left,
    "set as if loaded": set_as_loaded,
    "its own value set as if loaded": set_own_as_loaded,
    "noted in the session": lambda session, order: session.info.update(noted=1),
    "noted in the connection": lambda session, order: session.connection().info.update(noted=1),
    "noted in a context": lambda session, order: NOTED.set(1),
}


def changed(engine: Engine, statement: str, **parameters: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), parameters)


def stored(engine: Engine) -> dict[int, str | None]:
    with engine.connect() as connection:
        return {row.id: row.seen for row in connection.execute(select(Order.id, Order.seen))}


def from_scratch(engine: Engine, number: int) -> str | None:
    with Session(engine) as session:
        seen = copy_context().run(session.get_one(Order, number).compute_seen)
        session.connection().info.pop("noted", None)  # which the pool would keep
        return seen


@pytest.mark.parametrize("way", WAYS)
def test_each_finds_what_it_would_find_alone(engine: Engine, way: str) -> None:
    """Of five orders of one customer, which are calculated together, two go that way; and once more, when what they
    have all read is changed."""
    app = installed(engine, Base)
    changed(engine, "INSERT INTO customer (id, name, percent, notes) VALUES (1, 'Ann', 5, '{\"few\": 1}')")
    for number in range(1, 6):
        own = way if number in (2, 4) else ""
        changed(engine, "INSERT INTO orders (id, customer_id, way) VALUES (:id, 1, :way)", id=number, way=own)
    for statement in (
        "UPDATE customer SET percent = 7",
        "UPDATE customer SET name = 'Zoe'",
        "DELETE FROM orders WHERE id = 3",
    ):
        app.run_until_idle(engine)
        assert stored(engine) == {number: from_scratch(engine, number) for number in stored(engine)}
        changed(engine, statement)
