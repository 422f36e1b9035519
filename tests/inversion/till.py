"""A till whose totals are computed at commit: lines make orders, orders make customers, and those a badge in Python.

It has no foreign keys, so that rows may point at what is not there yet."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, Numeric, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.store.journal.tables import commit_touch, committing, touch
from tests.support.prepared import installed
from tests.support.world import everything


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0), server_default="0")
    orders: Mapped[int] = mapped_column(default=0, server_default="0")
    average: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    badge: Mapped[str] = mapped_column(default="", server_default="")

    @aw.derived(total, at="commit")
    def compute_total(self) -> Decimal:
        raise NotImplementedError("it is computed by its expression")

    @compute_total.expression
    def total_in_sql(cls: Any) -> Any:
        of_orders = select(func.coalesce(func.sum(Order.total), 0)).where(Order.customer_id == cls.id)
        return of_orders.scalar_subquery()

    @aw.derived(orders, at="commit")
    def compute_orders(self) -> int:
        raise NotImplementedError("it is computed by its expression")

    @compute_orders.expression
    def orders_in_sql(cls: Any) -> Any:
        return select(func.count(Order.id)).where(Order.customer_id == cls.id).scalar_subquery()

    @aw.derived(average, at="commit")
    def compute_average(self) -> Decimal:
        raise NotImplementedError("it is computed by its expression")

    @compute_average.expression
    def average_in_sql(cls: Any) -> Any:
        """Made of two of the same row. A division by zero is null on SQLite, and an error on PostgreSQL."""
        return cls.total / cls.orders

    @aw.derived(badge)
    def compute_badge(self) -> str:
        return "gold" if self.total > 10 else "none"


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(index=True)
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0), server_default="0")

    @aw.derived(total, at="commit")
    def compute_total(self) -> Decimal:
        raise NotImplementedError("it is computed by its expression")

    @compute_total.expression
    def total_in_sql(cls: Any) -> Any:
        lines = select(func.coalesce(func.sum(Line.amount), 0)).where(Line.order_id == cls.id)
        return lines.scalar_subquery()


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None] = mapped_column(index=True)
    amount: Mapped[int] = mapped_column(default=1)
    note: Mapped[str | None] = mapped_column()


TRIGGERS = {
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'afterwork_committing'::regclass AND NOT tgisinternal",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'afterwork_commit_%'",
}
"""The queries for the names of the triggers that compute values at commit."""


class Till:
    """A till with two customers of two orders with two lines of 1 and 2."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.app = installed(engine, Base)
        with Session(engine) as session, session.begin():
            for number in (1, 2):
                session.add(Customer(id=number))
                for order in (2 * number - 1, 2 * number):
                    session.add(Order(id=order, customer_id=number))
                    session.add_all(
                        [Line(id=2 * order - 1, order_id=order), Line(id=2 * order, order_id=order, amount=2)]
                    )

    def run(self) -> list[str]:
        """Run all that is due. Return the works that ran."""
        return [ended.run.work for ended in self.app.run_until_idle(self.engine)]

    def sql(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def drop_triggers(self) -> None:
        """Drop the triggers that compute values at commit."""
        with self.engine.begin() as connection:
            on = " ON afterwork_committing" if self.engine.dialect.name == "postgresql" else ""
            for name in connection.execute(text(TRIGGERS[self.engine.dialect.name])).scalars().all():
                connection.execute(text(f"DROP TRIGGER {name}{on}"))

    @property
    def totals(self) -> dict[int, int]:
        return {customer.id: int(customer.total) for customer in everything(self.engine, Customer)}

    @property
    def wrong(self) -> list[str]:
        """The names and keys of values that are not as they must be."""
        with self.engine.connect() as connection:
            found: list[str] = []
            for name, key, member, value in (
                ("Order.total", Order.id, Order.total, Order.total_in_sql(Order)),
                ("Customer.total", Customer.id, Customer.total, Customer.total_in_sql(Customer)),
                ("Customer.orders", Customer.id, Customer.orders, Customer.orders_in_sql(Customer)),
            ):
                wrong = select(key).where(member.is_distinct_from(value)).order_by(key)
                found += [f"{name} {number}" for number in connection.execute(wrong).scalars()]
            return found

    @property
    def noted(self) -> int:
        """The number of rows that wait for a server, or were left by a transaction."""
        with self.engine.connect() as connection:
            tables = [touch, commit_touch, committing] if self.engine.dialect.name == "postgresql" else [touch]
            return sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)
