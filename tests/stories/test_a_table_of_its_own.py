"""A program that writes at REPEATABLE READ is refused where the server has written the row meanwhile: PostgreSQL can't
merge two writes of one row. A calculated value in a table of its own is in nobody's way."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, ForeignKey, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    count: Mapped[int] = mapped_column(default=0)
    orders: Mapped[list["Order"]] = relationship()
    sums: Mapped["CustomerSums"] = relationship(back_populates="customer")

    @aw.derived(count)
    def compute_count(self) -> int:
        return sum(1 for order in self.orders if order.kind == "counted")


class CustomerSums(Base):
    """What is calculated of a customer, in rows that only the server writes."""

    __tablename__ = "customer_sums"
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    total: Mapped[int] = mapped_column(default=0)
    customer: Mapped[Customer] = relationship(back_populates="sums")

    @aw.derived(total)
    def compute_total(self) -> int:
        return sum(order.amount for order in self.customer.orders)


class Order(Base):
    __tablename__ = "customer_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str]
    amount: Mapped[int]


LEVELS = ["REPEATABLE READ", "SERIALIZABLE"]


@contextmanager
def renaming(engine: Engine, level: str) -> Iterator[Connection]:
    """A transaction of this level that has looked at the customer, and renames it at the end of the block."""
    with engine.connect().execution_options(isolation_level=level) as connection, connection.begin():
        connection.execute(text("SELECT name FROM customer WHERE id = 1"))
        yield connection
        connection.execute(text("UPDATE customer SET name = 'Zoe' WHERE id = 1"))


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite refuses a transaction that has read and then writes after anybody else's write")
    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base)
    app.install(engine)
    with Session(engine) as session, session.begin():
        session.add(Customer(id=1, name="Ann", sums=CustomerSums()))
    app.run_until_idle(engine)
    return app


def order(app: aw.Afterwork, engine: Engine, kind: str) -> None:
    """Somebody orders, and the server does what comes of it."""
    with Session(engine) as session, session.begin():
        session.add(Order(customer_id=1, kind=kind, amount=5))
    app.run_until_idle(engine)


@pytest.mark.parametrize("level", LEVELS)
def test_a_writer_is_refused_whose_row_the_server_has_updated(app: aw.Afterwork, engine: Engine, level: str) -> None:
    with pytest.raises(OperationalError, match="could not serialize access"), renaming(engine, level):
        order(app, engine, kind="counted")

    with renaming(engine, level):
        pass  # goes well when it is tried again

    with Session(engine) as session:
        customer = session.get_one(Customer, 1)
        assert (customer.name, customer.count, customer.sums.total) == ("Zoe", 1, 5)


@pytest.mark.parametrize("level", LEVELS)
def test_a_writer_goes_on_whose_calculated_values_have_a_table_of_their_own(
    app: aw.Afterwork, engine: Engine, level: str
) -> None:
    with renaming(engine, level):
        order(app, engine, kind="not counted")

    with Session(engine) as session:
        customer = session.get_one(Customer, 1)
        assert (customer.name, customer.count, customer.sums.total) == ("Zoe", 0, 5)
