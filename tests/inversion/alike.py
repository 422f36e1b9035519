"""The same values kept right in each of the three ways: by what was read, in sets, and at commit."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, ForeignKey, func, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw
from afterwork.derived.explain.explanation import Explanation


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Region(Base):
    __tablename__ = "region"
    id: Mapped[int] = mapped_column(primary_key=True)
    customers: Mapped[list["Customer"]] = relationship()
    by_reads: Mapped[int] = mapped_column(default=0, server_default="0")
    in_sets: Mapped[int] = mapped_column(default=0, server_default="0")
    at_commit: Mapped[int] = mapped_column(default=0, server_default="0")

    @aw.derived(by_reads)
    def sum_by_reads(self) -> int:
        return sum(customer.by_reads for customer in self.customers)

    @aw.derived(in_sets)
    def sum_in_sets(self) -> int:
        return sum(customer.in_sets for customer in self.customers)

    @sum_in_sets.expression
    def _in_sets(cls: Any) -> Any:
        return _sum_of(Customer.in_sets).where(Customer.region_id == cls.id).scalar_subquery()

    @aw.derived(at_commit, at="commit")
    def sum_at_commit(self) -> int:
        return sum(customer.at_commit for customer in self.customers)

    @sum_at_commit.expression
    def _at_commit(cls: Any) -> Any:
        return _sum_of(Customer.at_commit).where(Customer.region_id == cls.id).scalar_subquery()


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    region_id: Mapped[int | None] = mapped_column(ForeignKey("region.id"), index=True)
    orders: Mapped[list["Order"]] = relationship()
    by_reads: Mapped[int] = mapped_column(default=0, server_default="0")
    in_sets: Mapped[int] = mapped_column(default=0, server_default="0")
    at_commit: Mapped[int] = mapped_column(default=0, server_default="0")
    share_by_reads: Mapped[int] = mapped_column(default=0, server_default="0")
    share_in_sets: Mapped[int] = mapped_column(default=0, server_default="0")
    share_at_commit: Mapped[int] = mapped_column(default=0, server_default="0")

    @aw.derived(by_reads)
    def sum_by_reads(self) -> int:
        return sum(order.amount for order in self.orders)

    @aw.derived(in_sets, last_change=True)
    def sum_in_sets(self) -> int:
        return sum(order.amount for order in self.orders)

    @sum_in_sets.expression
    def _in_sets(cls: Any) -> Any:
        return _sum_of(Order.amount).where(Order.customer_id == cls.id).scalar_subquery()

    @aw.derived(at_commit, at="commit", last_change=True)
    def sum_at_commit(self) -> int:
        return sum(order.amount for order in self.orders)

    @sum_at_commit.expression
    def _at_commit(cls: Any) -> Any:
        return _sum_of(Order.amount).where(Order.customer_id == cls.id).scalar_subquery()

    @aw.derived(share_by_reads)
    def divide_by_reads(self) -> int:
        """Fails for those whose orders amount to nothing."""
        return 100 // sum(order.amount for order in self.orders)

    @aw.derived(share_in_sets)
    def divide_in_sets(self) -> int:
        return 100 // sum(order.amount for order in self.orders)

    @divide_in_sets.expression
    def _share_in_sets(cls: Any) -> Any:
        return select(100 // func.sum(Order.amount)).where(Order.customer_id == cls.id).scalar_subquery()

    @aw.derived(share_at_commit, at="commit")
    def divide_at_commit(self) -> int:
        return 100 // sum(order.amount for order in self.orders)

    @divide_at_commit.expression
    def _share_at_commit(cls: Any) -> Any:
        return select(100 // func.sum(Order.amount)).where(Order.customer_id == cls.id).scalar_subquery()


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    amount: Mapped[int] = mapped_column(default=1)
    note: Mapped[str | None] = mapped_column()


def _sum_of(column: Any) -> Any:
    return select(func.coalesce(func.sum(column), 0))


WAYS = ("by_reads", "in_sets", "at_commit")
"""The members that have the same value, each in another way."""

BY_SERVERS = ("by_reads", "in_sets")
"""Those that are right only when a server has run."""


def stock(engine: Engine) -> None:
    """Two customers have two orders each, and all values are right."""
    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base)
    app.install(engine)
    with engine.begin() as connection:
        connection.execute(insert(Region).values(id=1))
        connection.execute(insert(Customer), [{"id": n, "region_id": 1} for n in (1, 2)])
        orders = [{"id": n, "customer_id": (n + 1) // 2, "amount": n} for n in range(1, 5)]
        connection.execute(insert(Order), orders)
    app.run_until_idle(engine)


@dataclass
class Store:
    """An application of a store, with its server's clock in the test's hand."""

    engine: Engine
    clock: aw.ManualClock = field(default_factory=aw.ManualClock)

    def __post_init__(self) -> None:
        self.app = aw.Afterwork(Base, clock=self.clock)

    def run(self) -> list[str]:
        """Run all that is due. Return what ran."""
        return [f"{ended.run.work} {ended.run.root_id}" for ended in self.app.run_until_idle(self.engine)]

    def sql(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def explain(self, member: str, key: int = 1, mapped: Any = Customer) -> Explanation:
        with Session(self.engine) as session:
            return self.app.explain(session.get_one(mapped, key), member)

    def is_stale(self, member: str, key: int = 1, mapped: Any = Customer) -> bool:
        with Session(self.engine) as session:
            return aw.is_stale(session.get_one(mapped, key), member)

    def impact(self, mapped: Any, key: int, member: str) -> set[tuple[str, str]]:
        with Session(self.engine) as session:
            readers = self.app.impact(session.get_one(mapped, key), member)
        return {(reader.name, reader.root_id) for reader in readers}
