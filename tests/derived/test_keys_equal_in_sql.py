"""Rows belong together where the database says so, though their keys differ in Python and the model does not know."""

from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, String, select, text
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.types import TypeEngine

import afterwork as aw

EQUAL: dict[str, dict[str, tuple[str, TypeEngine[Any], str, str]]] = {
    "sqlite": {
        "by case": ("text COLLATE NOCASE", String(), "Ann", "ann"),
        "by blanks": ("text COLLATE RTRIM", String(), "Ann", "Ann  "),
    },
    "postgresql": {"by case": ("citext", CITEXT(), "Ann", "ann"), "by blanks": ("bpchar", String(), "Ann", "Ann  ")},
}
"""The type of a column in the database, in the model, and two keys that are equal to the database."""


KEEP: list[type] = []
"""The classes of models, which SQLAlchemy alone would let go of."""


def model(kind: TypeEngine[Any]) -> tuple[type[DeclarativeBase], type[Any], type[Any]]:
    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None] = mapped_column(kind, ForeignKey("customer.name"))
        amount: Mapped[int]
        seen: Mapped[str | None] = mapped_column()
        customer: Mapped["Customer | None"] = relationship(back_populates="orders")

        @aw.derived(seen)
        def compute_seen(self) -> str:
            return self.customer.name if self.customer is not None else "nobody"

    class Customer(Base):
        __tablename__ = "customer"
        name: Mapped[str] = mapped_column(kind, primary_key=True)
        total: Mapped[int | None] = mapped_column()
        orders: Mapped[list[Order]] = relationship(back_populates="customer")

        @aw.derived(total)
        def compute_total(self) -> int:
            return sum(order.amount for order in self.orders)

    KEEP.append(SysAsyncTicket)
    return Base, Customer, Order


@pytest.mark.parametrize("way", ["by case", "by blanks"])
def test_many_roots_find_the_rows_that_each_would_find_alone(engine: Engine, way: str) -> None:
    declared, kind, one, other = EQUAL[engine.dialect.name][way]
    base, customers, orders = model(kind)
    with engine.begin() as connection:
        if declared == "citext":
            connection.execute(text("CREATE EXTENSION citext"))
        connection.execute(text(f"CREATE TABLE customer (name {declared} PRIMARY KEY, total int)"))
        connection.execute(
            text(f"CREATE TABLE orders (id int PRIMARY KEY, name {declared}, amount int NOT NULL, seen text)")
        )
    base.metadata.create_all(engine)
    app = aw.Afterwork(base)
    app.install(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO customer (name) VALUES (:name), ('Bob')"), {"name": one})
        connection.execute(
            text("INSERT INTO orders (id, name, amount) VALUES (1, :one, 1), (2, :other, 2), (3, 'Bob', 4)"),
            {"one": one, "other": other},
        )

    app.run_until_idle(engine)
    with Session(engine) as session:
        assert [found.total for found in session.scalars(select(customers).order_by(customers.name))] == [3, 4]
        found = session.scalars(select(orders).order_by(orders.id))
        assert [order.seen for order in found] == [one, one, "Bob"]

    with engine.begin() as connection:
        connection.execute(text("UPDATE orders SET amount = amount + 10"))
    app.run_until_idle(engine)
    with Session(engine) as session:
        assert [found.total for found in session.scalars(select(customers).order_by(customers.name))] == [23, 14]
