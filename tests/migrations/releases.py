"""Releases of an application: customers with orders, and values of each kind made of them.

`total` is made in Python, `count` by its query in sets, `largest` at commit, and `greeting` by a view model.
"""

from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from sqlalchemy import Engine, ForeignKey, Index, Integer, String, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw
from tests.support.prepared import begin_with


@dataclass(frozen=True)
class Release:
    """The model of one release, with its classes."""

    base: Any
    customer: Any
    order: Any
    app: Any
    kept: tuple[Any, ...]
    """All other classes, which SQLAlchemy holds but weakly."""


@cache
def release(
    *,
    amount_name: str = "amount",
    amount_type: Any = Integer,
    has_discount: bool = False,
    has_payments: bool = False,
    orders_name: str = "orders",
    unique_names: bool = False,
    is_note_needed: bool = False,
    is_traced: bool = False,
    counts_large_ones: bool = False,
    has_afterwork: bool = True,
) -> Release:
    """Return a release, always the same one. Each argument is what one migration changes."""

    class Base(DeclarativeBase): ...

    kept: list[Any] = []
    if has_afterwork:
        more = {"trace_parent": mapped_column(String, nullable=True)} if is_traced else {}
        kept.append(type("SysAsyncTicket", (aw.AsyncTicket, Base), more))

    class Customer(Base):
        __tablename__ = "customer"
        __table_args__: Any = (Index("customer_name", "name", unique=True),) if unique_names else ()
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(40))
        total: Mapped[int] = mapped_column(default=0, server_default="0")
        count: Mapped[int] = mapped_column(default=0, server_default="0")
        largest: Mapped[int] = mapped_column(amount_type, default=0, server_default="0")
        greeting: Mapped[str] = mapped_column(String(80), default="", server_default="")
        if has_payments:
            paid: Mapped[int] = mapped_column(default=0, server_default="0")
            payment_rows: Mapped[list["Payment"]] = relationship()

            @aw.derived(paid)
            def compute_paid(self) -> int:
                return sum(payment.value for payment in self.payment_rows)

        order_rows: Mapped[list["Order"]] = relationship()

        @aw.derived(total)
        def compute_total(self) -> int:
            return int(sum(order.amount - (order.discount if has_discount else 0) for order in self.order_rows))

        @aw.derived(count)
        def compute_count(self) -> int:
            return len(self.order_rows)

        @compute_count.expression
        def count_in_sql(cls: Any) -> Any:
            counted = select(func.count(Order.id)).where(Order.customer_id == cls.id)
            return (counted.where(Order.amount > 5) if counts_large_ones else counted).scalar_subquery()

        @aw.derived(largest, at="commit")
        def compute_largest(self) -> int:
            raise NotImplementedError

        @compute_largest.expression
        def largest_in_sql(cls: Any) -> Any:
            net = Order.amount - Order.discount if has_discount else Order.amount
            return select(func.coalesce(func.max(net), 0)).where(Order.customer_id == cls.id).scalar_subquery()

        @aw.method
        def rename(self) -> None:
            self.name = self.name.upper()

    class Order(Base):
        __tablename__ = orders_name
        id: Mapped[int] = mapped_column(primary_key=True)
        customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
        amount: Mapped[int] = mapped_column(amount_name, amount_type)
        note: Mapped[str | None] = mapped_column(
            String(40), nullable=not is_note_needed, server_default="none" if is_note_needed else None
        )
        if has_discount:
            discount: Mapped[int] = mapped_column(default=0, server_default="0")

    if has_payments:

        class Payment(Base):
            __tablename__ = "payment"
            id: Mapped[int] = mapped_column(primary_key=True)
            customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
            value: Mapped[int] = mapped_column(default=0)

        kept.append(Payment)

    class Greet(aw.ViewModel, root=Customer):
        when = aw.WhenStale()

        @aw.action
        def greet(self) -> None:
            self.root.greeting = f"Hello {self.root.name}, {len(self.root.order_rows)} orders"

    return Release(Base, Customer, Order, aw.Afterwork(Base) if has_afterwork else None, (*kept, Greet))


RELEASES: list[dict[str, Any]] = [
    {"has_afterwork": False},
    {},
    {"has_discount": True},
    {"has_discount": True, "has_payments": True, "is_traced": True},
    {"has_payments": True, "is_traced": True, "unique_names": True},
]
"""The releases of an application that began without Afterwork."""


def write(release: Release, engine: Engine) -> None:
    """Have a customer with two orders, change one of another, and ask for a job."""
    with Session(engine) as session, session.begin():
        number = session.scalar(select(func.count()).select_from(release.customer))
        customer = release.customer(name=f"customer {number}")
        customer.order_rows = [release.order(amount=amount, note="old") for amount in (3, 4)]
        session.add(customer)
        for order in session.scalars(select(release.order)):
            order.amount += 10
        session.flush()
        aw.later(customer.rename)


def check_all_is_right(release: Release, engine: Engine) -> None:
    """Assert that once all has run, each value is what a calculation from scratch gives."""
    ended = release.app.run_until_idle(engine)
    assert [run.outcome for run in ended if not isinstance(run.outcome, aw.Succeeded)] == []
    with Session(engine) as session:
        for customer in session.scalars(select(release.customer)):
            amounts = [int(order.amount - getattr(order, "discount", 0)) for order in customer.order_rows]
            values = customer.total, customer.count, int(customer.largest), customer.greeting, customer.name
            greeting = f"Hello {customer.name}, {len(amounts)} orders"
            assert values == (sum(amounts), len(amounts), max(amounts), greeting, customer.name.upper())
    verified = release.app.verify(engine)
    assert verified.differences == []
    assert not verified.is_behind


def begin(engine: Engine, **changes: Any) -> Release:
    """Have an empty database begin as a release leaves it that has been in use."""
    first = release(**changes)
    begin_with(engine, partial(_use, first), f"migrations-{'-'.join(changes)}")
    return first


def _use(first: Release, engine: Engine) -> None:
    first.base.metadata.create_all(engine)
    first.app.install(engine)
    write(first, engine)
    check_all_is_right(first, engine)


def add_orders(engine: Engine, number: int) -> None:
    """Write into the tables that there are from the first release on."""
    with engine.begin() as connection:
        customers = text("INSERT INTO customer (id, name) VALUES (:n, :name)")
        connection.execute(customers, {"n": number + 100, "name": f"NUMBER {number}"})
        for amount in (number, number + 3):
            orders = text("INSERT INTO orders (customer_id, amount) VALUES (:n, :amount)")
            connection.execute(orders, {"n": number + 100, "amount": amount})
        connection.execute(text("UPDATE orders SET amount = amount + 1"))
