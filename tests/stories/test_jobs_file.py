"""Jobs as data: what starts them, and what they do, stands in a file beside the model."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from afterwork.errors import BadJobsFile
from tests.support.world import World, works

JOBS = """
[methods."Customer.assign_number"]
precondition = "self.number->isNull"
do = "let s = NumberSeries.allInstances->first in (s.last := s.last + 1; self.number := s.last)"

[derived."Customer.total"]
value = "self.orders->collect(o | o.amount)->sum"

[view_models.TheCustomerNumberAssigner]
root = "Customer"
actions = [{ name = "assign", enabled = "self.assignNumber?", do = "self.assignNumber" }]

[view_models.SeeOrders]
root = "Order"
when = { every = { minutes = 10 }, criteria = "Order.allInstances->select(o | not o.seen)" }
actions = [{ name = "see", do = "self.seen := true" }]
"""


class Shop:
    """A model that declares no job of its own, and a file."""

    def __init__(self, engine: Engine, path: Path) -> None:
        class Base(DeclarativeBase): ...

        class SysAsyncTicket(aw.AsyncTicket, Base): ...

        class NumberSeries(Base):
            __tablename__ = "number_series"
            name: Mapped[str] = mapped_column(primary_key=True)
            last: Mapped[int] = mapped_column(default=0)

        class Customer(Base):
            __tablename__ = "customer"
            id: Mapped[int] = mapped_column(primary_key=True)
            number: Mapped[int | None]
            total: Mapped[int] = mapped_column(default=0)
            orders: Mapped[list["Order"]] = relationship(back_populates="customer")

        class Order(Base):
            __tablename__ = "orders"
            id: Mapped[int] = mapped_column(primary_key=True)
            customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
            amount: Mapped[int]
            seen: Mapped[bool] = mapped_column(default=False)
            customer: Mapped[Customer] = relationship(back_populates="orders")

        # Resolved here, since these classes are in no module.
        Customer.__annotations__["orders"] = Mapped[list[Order]]
        self.path = path / "jobs.toml"
        self.customer: Any = Customer
        self.order: Any = Order
        self.ticket: Any = SysAsyncTicket
        self.world = World(engine, Base)
        with self.world.session() as session, session.begin():
            session.add_all([NumberSeries(name="customer"), Customer(id=1, orders=[Order(amount=3), Order(amount=4)])])

    def load(self, text: str = JOBS) -> list[str]:
        self.path.write_text(text)
        found = self.world.app.load(self.path)
        self.world.app.install(self.world.engine)
        return found

    def ask(self, work: str) -> None:
        with self.world.session() as session, session.begin():
            session.add(self.ticket(view_model=work, root_id="Customer!1"))

    @property
    def ann(self) -> Any:
        (found,) = self.world.all(self.customer)
        return found


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> Shop:
    return Shop(engine, tmp_path)


def test_the_jobs_of_a_file_run_like_any_other(shop: Shop) -> None:
    assert shop.load() == ["Customer.assign_number", "Customer.total", "TheCustomerNumberAssigner", "SeeOrders"]
    shop.ask("TheCustomerNumberAssigner")

    ran = works(shop.world.run())

    assert {"TheCustomerNumberAssigner", "Customer.total", "SeeOrders"} == {work for work, _ in ran}
    assert (shop.ann.number, shop.ann.total) == (1, 7)
    assert [one.seen for one in shop.world.all(shop.order)] == [True, True]


def test_a_file_that_is_loaded_again_takes_the_place_of_the_earlier_one(shop: Shop) -> None:
    shop.load()
    shop.world.run()
    shop.world.clock.advance(timedelta(seconds=1))

    shop.load(JOBS.replace("->sum", "->sum + 100"))
    shop.world.run()

    assert shop.ann.total == 107


def test_a_file_that_is_wrong_changes_nothing(shop: Shop) -> None:
    shop.load()

    with pytest.raises(BadJobsFile, match=r"line 7: Customer.total: .*has no nothing"):
        shop.load(JOBS.replace("collect(o | o.amount)", "collect(o | o.nothing)"))
    shop.world.run()

    assert shop.ann.total == 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[derived.", "[derivd."), "line 6: there is no section 'derivd'. There are: methods, derived, view_models"),
        (("value = ", "valu = "), "line 7: Customer.total: there is no 'valu'"),
        (('root = "Customer"', 'root = "Custmer"'), "line 10: TheCustomerNumberAssigner: the model has no class"),
        (("every = { minutes = 10 }, ", ""), "when of SeeOrders needs stale = true, every"),
        (("minutes = 10", "minutes = 0"), "SeeOrders: "),
        (
            ('precondition = "self.number->isNull"', 'precondition = "self.number := 1"'),
            "line 3: Customer.assign_number",
        ),
        (("[methods", "[[methods"), "jobs.toml: "),
    ],
)
def test_what_is_wrong_is_told_with_its_line(shop: Shop, change: tuple[str, str], said: str) -> None:
    assert change[0] in JOBS
    with pytest.raises(BadJobsFile) as found:
        shop.load(JOBS.replace(*change))

    assert said in str(found.value)
    assert str(shop.path) in str(found.value)


def test_a_file_that_is_not_there(shop: Shop) -> None:
    with pytest.raises(BadJobsFile, match="it can't be read: No such file"):
        shop.world.app.load(shop.path)
