"""A column that is newer than the installation: its changes are not captured, so no value is made of it in silence."""

from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw


def release(*, with_fees: bool, reads: str = "only amounts") -> Any:
    """Return the base of one release of a model. The later one has a column more, which a total may read."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Customer(Base):
        __tablename__ = "customer"
        id: Mapped[int] = mapped_column(primary_key=True)
        total: Mapped[int] = mapped_column(default=0)
        orders: Mapped[list["Order"]] = relationship()

        def by_amounts(self) -> int:
            return sum(order.amount for order in self.orders)

        def by_fees(self) -> int:
            if reads == "fees in a loop":
                return sum(order.amount + order.fee for order in self.orders)
            total = func.sum(Order.amount + getattr(Order, "fee"))
            return aw.session(self).scalars(select(total).where(Order.customer_id == self.id)).one() or 0

        compute_total = aw.derived(total)(by_amounts if reads == "only amounts" else by_fees)

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
        amount: Mapped[int]
        if with_fees:
            fee: Mapped[int] = mapped_column(default=0, server_default="0")

    Base.kept = SysAsyncTicket, Customer, Order
    return Base


def total(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT total FROM customer")).scalar_one())


def migrated_from_the_old_release(engine: Engine) -> None:
    old = release(with_fees=False)
    old.metadata.create_all(engine)
    app = aw.Afterwork(old)
    app.install(engine)
    _, customer, order = old.kept
    with Session(engine) as session, session.begin():
        session.add(customer(id=1, orders=[order(id=1, amount=5)]))
    app.run_until_idle(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE orders ADD COLUMN fee integer NOT NULL DEFAULT 0"))
        connection.execute(text("UPDATE orders SET fee = 2"))


@pytest.mark.parametrize("reads", ["fees in a loop", "fees by a query"])
def test_a_value_that_reads_it_fails_and_says_so_until_its_changes_are_captured(engine: Engine, reads: str) -> None:
    migrated_from_the_old_release(engine)
    app = aw.Afterwork(release(with_fees=True, reads=reads))
    (ended,) = app.run_until_idle(engine)
    assert isinstance(ended.outcome, aw.Raised)
    assert "changes of 'orders.fee' are not captured" in ended.outcome.error
    assert "run app.install" in ended.outcome.error
    assert total(engine) == 5

    app.install(engine)
    app.run_until_idle(engine)
    assert total(engine) == 7
    with engine.begin() as connection:
        connection.execute(text("UPDATE orders SET fee = 3"))
    app.run_until_idle(engine)
    assert total(engine) == 8
    assert [cache.failed.number for cache in app.insight(engine).caches()] == [0]


def test_values_that_do_not_read_it_stay_right(engine: Engine) -> None:
    migrated_from_the_old_release(engine)
    app = aw.Afterwork(release(with_fees=True))
    with engine.begin() as connection:
        connection.execute(text("UPDATE orders SET amount = 6"))
    app.run_until_idle(engine)
    assert total(engine) == 6
    assert [cache.failed.number for cache in app.insight(engine).caches()] == [0]
