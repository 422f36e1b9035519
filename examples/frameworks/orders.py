"""The model of most of these examples: orders that are confirmed later, and a tax that follows the amount."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, false
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    amount: Mapped[int]
    tax: Mapped[int] = mapped_column(default=0, server_default="0")
    confirmed: Mapped[bool] = mapped_column(default=False, server_default=false())

    @aw.derived(tax)
    def compute_tax(self) -> int:
        return self.amount // 5

    @aw.method(precondition=lambda self: not self.confirmed)
    def confirm(self) -> None:
        self.confirmed = True


work = aw.Afterwork(Base)


def engine_of_environment() -> Engine:
    """Return an engine on the database that the environment names."""
    return create_engine(os.environ.get("DATABASE_URL") or "sqlite:///orders.db")


@contextmanager
def working(engine: Engine) -> Iterator[None]:
    """Run the jobs in this process while the block lasts. With migrations, the tables are there already."""
    Base.metadata.create_all(engine)
    work.install(engine)
    with work.serving(engine):
        yield


def place(session: Session, customer: str, amount: int) -> Order:
    """Add an order, with a ticket for its confirmation: both are saved by the session's commit, or neither is."""
    order = Order(customer=customer, amount=amount)
    session.add(order)
    aw.later(order.confirm)
    session.flush()
    return order
