"""Several applications, and several releases of one, on one database: what each reads goes on being captured."""

from collections.abc import Callable
from functools import cache

import pytest
from sqlalchemy import Engine, ForeignKey, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from tests.capture.continuity_scene import ALIVE, Place, opened, release

ADDED = "INSERT INTO {} (id, customer_id, amount) VALUES (3, 1, 100)"


def stays(place: Place) -> str:
    return "orders"


def is_renamed(place: Place) -> str:
    place.sql("ALTER TABLE orders RENAME TO purchase")
    place.deploy(release("purchase"))
    return "purchase"


def gives_its_name_to_another(place: Place) -> str:
    name = is_renamed(place)
    place.install()
    place.sql("CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, amount int NOT NULL)")
    return name


def takes_the_name_back(place: Place) -> str:
    gives_its_name_to_another(place)
    place.install()
    place.sql("INSERT INTO orders VALUES (1, 1, 1), (2, 1, 2)")
    place.deploy(release())
    return "orders"


def has_no_caches_for_a_while(place: Place) -> str:
    first = place.base
    place.deploy(release(cached=False))
    place.install()
    place.run()
    place.sql("UPDATE orders SET amount = amount + 10")
    place.deploy(first)
    return "orders"


def is_unwatched_for_a_while(place: Place) -> str:
    first = place.base
    place.deploy(release(watched=False))
    place.install()
    place.sql("UPDATE orders SET amount = amount + 10")
    place.deploy(first)
    return "orders"


HISTORIES: dict[Callable[[Place], str], int] = {
    stays: 3,
    is_renamed: 3,
    gives_its_name_to_another: 3,
    takes_the_name_back: 3,
    has_no_caches_for_a_while: 23,
    is_unwatched_for_a_while: 23,
}


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_a_table_s_values_are_right_through_releases(engine: Engine, history: Callable[[Place], str]) -> None:
    place = opened(engine)
    name = history(place)
    place.install()
    place.run()
    assert place.total() == HISTORIES[history]
    place.sql(ADDED.format(name))
    assert place.run() == ["Customer.total Customer!1"]
    assert place.total() == HISTORIES[history] + 100
    assert (place.faults(), place.install(), place.run()) == ([], [], [])


def test_a_table_that_moves_to_another_schema_and_back(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        return
    place = opened(engine)
    first = place.base
    place.sql("CREATE SCHEMA sales", "ALTER TABLE orders SET SCHEMA sales")
    place.deploy(release(schema="sales"))
    place.install()
    place.run()
    place.sql(ADDED.format("sales.orders"))
    place.run()
    assert place.total() == 103

    place.sql("ALTER TABLE sales.orders SET SCHEMA public", "DELETE FROM orders WHERE id = 1")
    place.deploy(first)
    place.install()
    place.run()
    assert place.total() == 102


def test_the_table_of_the_objects_themselves_is_renamed(engine: Engine) -> None:
    place = opened(engine)
    place.sql("ALTER TABLE customer RENAME TO client")

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Customer(Base):
        __tablename__ = "client"
        id: Mapped[int] = mapped_column(primary_key=True)
        total: Mapped[int] = mapped_column(default=0, server_default="0")
        orders: Mapped[list["Order"]] = relationship()

        @aw.derived(total)
        def compute_total(self) -> int:
            return sum(order.amount for order in self.orders)

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        customer_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
        amount: Mapped[int]

    ALIVE.extend((SysAsyncTicket, Customer, Order))
    place.deploy(Base)
    place.sql("INSERT INTO client (id) VALUES (2)")
    place.install()
    place.sql("INSERT INTO client (id) VALUES (3)", *(_order(customer) for customer in (2, 3)))
    place.run()
    with engine.connect() as connection:
        totals = connection.execute(text("SELECT total FROM client ORDER BY id")).scalars().all()
    assert totals == [3, 100, 100]


def _order(customer: int) -> str:
    return f"INSERT INTO orders VALUES (1{customer}, {customer}, 100)"


def test_objects_that_came_and_went_while_nobody_looked(engine: Engine) -> None:
    place = opened(engine)
    place.sql("INSERT INTO customer (id) VALUES (2)")
    place.run()
    first = place.base
    place.deploy(release(cached=False))
    place.install()
    place.sql("DELETE FROM customer WHERE id = 2", "INSERT INTO customer (id) VALUES (4)", _order(4))
    place.deploy(first)
    place.install()
    place.run()
    assert place.total(4) == 100
    with engine.connect() as connection:
        roots = connection.execute(text("SELECT root FROM afterwork_cache ORDER BY root")).scalars().all()
    assert roots == ["Customer!1", "Customer!4"]


@cache
def other_application(*, cached: bool) -> type[DeclarativeBase]:
    """An application with tickets of its own, that reads the same orders, but only some of their columns."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base):
        __tablename__ = "ticket_of_billing"

    class Bill(Base):
        __tablename__ = "bill"
        id: Mapped[int] = mapped_column(primary_key=True)
        order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
        customer: Mapped[int | None] = mapped_column()
        order: Mapped["Order"] = relationship()

        if cached:

            @aw.derived(customer)
            def find_customer(self) -> int:
                return self.order.customer_id

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        customer_id: Mapped[int]

    ALIVE.extend((SysAsyncTicket, Bill, Order))
    return Base


@pytest.mark.parametrize("cached", [False, True])
def test_another_application_takes_nothing_away(engine: Engine, cached: bool) -> None:
    first = opened(engine)
    second = Place(engine, other_application(cached=cached))
    second.base.metadata.create_all(engine)
    second.install()
    assert (first.faults(), first.install(), first.run()) == ([], [], [])
    assert (second.faults(), second.install(), second.run()) == ([], [], [])

    first.sql("INSERT INTO customer (id) VALUES (2)", "INSERT INTO bill (id, order_id) VALUES (1, 1)")
    first.sql("UPDATE orders SET amount = 50 WHERE id = 2")
    for place in (first, second):
        place.run()
    assert first.total() == 51
    first.sql("UPDATE orders SET customer_id = 2 WHERE id = 1")
    for place in (first, second):
        place.run()
    assert (first.total(), first.total(2)) == (50, 1)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT customer FROM bill")).scalar() == (2 if cached else None)


def test_what_one_application_wants_no_more_stays_for_the_other(engine: Engine) -> None:
    first = opened(engine)
    second = Place(engine, other_application(cached=True))
    second.base.metadata.create_all(engine)
    second.install()
    before = first.base
    first.deploy(release(cached=False))

    said = first.install()

    assert "changes of orders go on being captured for the application of ticket_of_billing" in said
    assert "changes of customer captured no more" in said
    assert (first.install(), second.faults()) == ([], [])
    second.install()
    assert (second.install(), second.run()) == ([], [])
    first.sql("INSERT INTO bill (id, order_id) VALUES (1, 1)")
    second.run()
    first.sql("UPDATE orders SET amount = 70 WHERE id = 1", "UPDATE orders SET customer_id = 1 WHERE id = 1")
    second.run()
    second.deploy(other_application(cached=False))
    assert "changes of orders captured no more" in second.install()
    first.deploy(before)
    first.install()
    first.run()
    assert first.total() == 72
