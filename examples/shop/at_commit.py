"""Totals that are right when the transaction that changes them commits. Run it: python examples/shop/at_commit.py

No server runs here. The database follows each change to the totals that it touches, whoever writes.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

if not __package__:  # run by its path: look for modules where it was started from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from decimal import Decimal

from sqlalchemy import Engine, ForeignKey, Numeric, create_engine, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    total: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0))
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    @aw.derived(total, at="commit")
    def compute_total(self) -> Decimal:
        return sum((order.total for order in self.orders), Decimal(0))

    @compute_total.expression
    def _total_in_sql(cls: Any) -> Any:
        orders = select(func.coalesce(func.sum(Order.total), 0)).where(Order.customer_id == cls.id)
        return orders.scalar_subquery()


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    total: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0))
    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list["Line"]] = relationship()

    @aw.derived(total, at="commit")
    def compute_total(self) -> Decimal:
        return sum((line.quantity * line.price for line in self.lines), Decimal(0))

    @compute_total.expression
    def _total_in_sql(cls: Any) -> Any:
        lines = select(func.coalesce(func.sum(Line.quantity * Line.price), 0)).where(Line.order_id == cls.id)
        return lines.scalar_subquery()


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))


app = aw.Afterwork(Base)


def show(engine: Engine, said: str) -> None:
    with Session(engine) as session:
        totals = ", ".join(f"{customer.name} {customer.total:.2f}" for customer in session.scalars(select(Customer)))
    print(f"{said}: {totals}")


def main(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        ann, bob = Customer(name="Ann"), Customer(name="Bob")
        lines = [Line(quantity=1, price=Decimal("24.50")), Line(quantity=4, price=Decimal("9.95"))]
        session.add_all([Order(customer=ann, lines=lines), bob])
    show(engine, "An order is saved")
    for statement in (
        "UPDATE line SET quantity = 2 WHERE id = 1",
        "UPDATE orders SET customer_id = 2",
        "UPDATE customer SET total = 0",
        "DELETE FROM line WHERE id = 2",
    ):
        with engine.begin() as connection:
            connection.execute(text(statement))
        show(engine, statement)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(create_engine(f"sqlite:///{Path(folder) / 'shop.db'}"))
