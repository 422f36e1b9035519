"""Customers who are given numbers, one by one or many at once, and what may go wrong with one of them."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, ForeignKey, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.jobs import in_transaction
from tests.support.world import World


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)


class Customer(Base):
    """A customer, numbered by one method, which is also done for many. `fault` says what goes wrong then.

    `calls` are the customers of each call, `act` is what each call does besides.
    """

    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="customer")
    number: Mapped[int | None] = mapped_column(unique=True)
    fault: Mapped[str] = mapped_column(default="")
    parent: Mapped[int | None] = mapped_column(ForeignKey("parent.id", deferrable=True, initially="DEFERRED"))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "customer"}

    calls: ClassVar[list[list[int]]] = []
    act: ClassVar[Callable[[Sequence["Customer"]], object]] = staticmethod(lambda customers: None)

    @aw.method(precondition=lambda self: self.number is None)
    def assign_number(self) -> None:
        give_numbers([self])

    @assign_number.many
    @staticmethod
    def assign_numbers(customers: list["Customer"]) -> None:
        give_numbers(customers)

    @aw.method(retry=aw.Retry(attempts=3))
    def try_again(self) -> None:
        give_numbers([self])

    @try_again.many
    @staticmethod
    def try_all_again(customers: list["Customer"]) -> None:
        give_numbers(customers)

    @aw.method
    def number_by_key(self) -> None:
        give([self], [1000 + self.id])

    @number_by_key.many
    @staticmethod
    def number_all_by_key(customers: list["Customer"]) -> None:
        give(customers, [1000 + customer.id for customer in customers])

    @aw.method
    def greet(self) -> None:
        Customer.calls.append([self.id])


class Vip(Customer):
    """One to whom the method does the same."""

    __mapper_args__ = {"polymorphic_identity": "vip"}


class Stranger(Customer):
    """One whose own method is only done one by one."""

    __mapper_args__ = {"polymorphic_identity": "stranger"}

    @aw.method
    def assign_number(self) -> None:
        self.number = -self.id
        Customer.calls.append([self.id])


def give_numbers(customers: Sequence[Customer]) -> None:
    """Give customers the next numbers, in their order."""
    last = aw.session(customers[0]).scalar(select(func.max(Customer.number))) or 0
    give(customers, range(last + 1, last + 1 + len(customers)))


def give(customers: Sequence[Customer], numbers: Sequence[int]) -> None:
    """Give customers their numbers, and let what is wrong with them go wrong."""
    Customer.calls.append([customer.id for customer in customers])
    Customer.act(customers)
    for customer, number in zip(customers, numbers, strict=True):
        customer.number = number
        match customer.fault:
            case "raises":
                raise ValueError("at fault")
            case "exits":
                raise SystemExit
            case "breaks a row":
                customer.number = 1
            case "breaks the commit":
                customer.parent = 404


@pytest.fixture
def world(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    """Customer 1 has number 1. A batch takes as many as it may, however slow the machine is."""
    monkeypatch.setattr(in_transaction, "BATCH_SECONDS", 3600.0)
    Customer.calls.clear()
    return World(engine, Base, first=add_first)


def add_first(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(Customer.__table__.insert().values(kind="customer", number=1, fault=""))  # type: ignore[attr-defined]


def ask(world: World, *customers: Customer, work: str = "assign_number", **values: Any) -> None:
    """Add customers, from id 2 on, with a ticket for each, in order."""
    with world.session() as session, session.begin():
        session.add_all(customers)
        session.flush()
        ask_for(session, customers, work, **values)


def ask_for(session: Any, customers: Sequence[Customer], work: str, **values: Any) -> None:
    session.add_all(
        SysAsyncTicket(view_model=f"Customer.{work}", root_object=customer, **values) for customer in customers
    )


def some(count: int) -> list[Customer]:
    return [Customer() for _ in range(count)]


def numbers(world: World) -> list[int | None]:
    """The numbers of all customers but the first, by id."""
    return [customer.number for customer in world.all(Customer)][1:]
