"""Jobs as data: what starts them, and what they do, stands in a file beside the model."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from afterwork.errors import BadJobsFile
from tests.support.world import World, errors, works

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

    def load(self, text: str = JOBS, python: Iterable[Callable[..., Any]] = ()) -> list[str]:
        self.path.write_text(text)
        jobs = self.world.app.load(self.path, python=python)
        self.world.app.install(self.world.engine)
        return jobs

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


class NoAnswer(Exception):
    """Another system is not there."""


def send(view_model: Any) -> None:
    raise NoAnswer("Nobody is there.")


def test_what_a_function_raises_is_told_to_a_text_and_tried_again(shop: Shop) -> None:
    shop.load(
        """
[view_models.SendOrder]
root = "Order"
actions = [{ name = "send", python = "send" }]
retry = { attempts = 2, backoff = { minutes = 1 }, on = ["NoAnswer"] }
on_exception = { do = "self.amount := self.amount + error_text.length" }
""",
        python=[send, NoAnswer],
    )
    with shop.world.session() as session, session.begin():
        session.add(shop.ticket(view_model="SendOrder", root_id="Order!1"))

    shop.world.run()
    shop.world.clock.advance(timedelta(minutes=1))
    shop.world.run()

    (error,) = errors(shop.world.engine, shop.ticket)
    assert error is not None
    assert error.startswith("NoAnswer: Nobody is there.")
    assert [one.amount for one in shop.world.all(shop.order)] == [3 + 2 * len(error), 4]


ROUND = """
[view_models.SeeOrders]
root = "Order"
variables = [{ name = "limit", default = 3 }, { name = "least" }]
actions = [{ name = "see", enabled = "least = limit", do = "self.seen := true" }]
[view_models.SeeOrders.when]
every = { minutes = 10 }
set = { least = "limit" }
before = "least < 10"
criteria = "Order.allInstances->select(o | o.amount > least)"
"""


def test_a_round_sets_variables_asks_whether_to_begin_and_finds_what_they_say(shop: Shop) -> None:
    shop.load(ROUND)

    assert works(shop.world.run()) == [("SeeOrders", "Order!2")]
    assert [one.seen for one in shop.world.all(shop.order)] == [False, True]

    shop.load(ROUND.replace("least < 10", "due.passed and (least > 10)"))
    shop.world.clock.advance(timedelta(minutes=10))
    assert works(shop.world.run()) == []


def test_an_upgrade_of_a_file_runs_once(shop: Shop) -> None:
    shop.load("""
[view_models.Upgrade]
when = { once = true }
actions = [{ name = "see", do = "Order.allInstances->foreach(o | o.seen := true); Order.allInstances->size" }]
""")

    shop.world.run()

    assert [one.seen for one in shop.world.all(shop.order)] == [True, True]
    assert [one.result for one in shop.world.app.insight(shop.world.engine).once()] == ["2"]


QUERY = """
[queries."Order.weight"]
value = "amount * 2"
[derived."Customer.total"]
value = "self.orders.weight->sum"
"""


def test_values_are_calculated_again_when_a_query_that_they_name_has_changed(shop: Shop) -> None:
    shop.load(QUERY)
    shop.world.run()
    assert shop.ann.total == 14

    shop.world.clock.advance(timedelta(seconds=1))
    shop.load(QUERY.replace("* 2", "* 3"))
    shop.world.run()

    assert shop.ann.total == 21
