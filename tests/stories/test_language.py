"""Jobs that are written in the languages of the model: OCL asks, EAL acts, and both stand wherever a function may."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw
from afterwork.errors import HasEffects, UnknownName
from afterwork.events import NotInSql
from tests.support.world import World, errors, statements, works


class Base(aw.Model, DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class NumberSeries(Base):
    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Account(StateChart[Any]):
    open = State(initial=True)
    settled = State(final=True)
    closed = State(final=True)
    open.to(settled, cond=aw.ocl("(self.total > 0) and (self.paid >= self.total)"))
    close = open.to(closed)


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]
    paid: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    state: Mapped[str | None] = mapped_column()
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    account = aw.machine(Account, state=state)
    compute_total = aw.derived(total)(aw.ocl("self.orders->collect(o | o.amount)->sum"))
    assign_number = aw.method(precondition=aw.ocl("self.Number->isNull"))(
        aw.eal(
            "let series = NumberSeries.allInstances->first in"
            " (series.last := series.last + 1; self.number := series.last)"
        )
    )
    # As in the blog post "Doing stuff later".
    ask_for_number = aw.method(
        aw.eal(
            "let ticket=SysAsyncTicket.Create in"
            " (ticket.RootObject:=self; ticket.ViewModel:=Customer.ViewModels.TheCustomerNumberAssigner)"
        )
    )
    ask_shortly = aw.method(aw.eal("self.DoAsync('AssignNumber')"))


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    amount: Mapped[int]
    seen: Mapped[bool] = mapped_column(default=False)
    customer: Mapped[Customer] = relationship(back_populates="orders")


class TheCustomerNumberAssigner(aw.ViewModel[Customer]):
    assign = aw.action(enabled=aw.ocl("self.assignNumber?"))(aw.eal("self.assignNumber"))


class SeeOrders(aw.ViewModel, root=Order):
    when = aw.Every(minutes=10, criteria=aw.ocl("Order.allInstances->select(o | not o.seen)->orderBy(o | o.amount)"))
    see = aw.action(aw.eal("self.seen := true"))


@pytest.fixture
def world(engine: Engine) -> World:
    world = World(engine, Base)
    with world.session() as session, session.begin():
        session.add_all([NumberSeries(name="customer"), Customer(id=1), Customer(id=2)])
    world.run()
    return world


def the(world: World, key: int) -> Customer:
    found: Customer = next(one for one in world.all(Customer) if one.id == key)
    return found


def ask(world: World, key: int, method: str) -> None:
    with world.session() as session, session.begin():
        getattr(session.get_one(Customer, key), method)()


def test_a_number_is_asked_for_as_the_blog_post_says(world: World) -> None:
    ask(world, 2, "ask_for_number")
    ask(world, 1, "ask_for_number")
    world.run()

    assert (the(world, 2).number, the(world, 1).number) == (1, 2)


def test_a_precondition_is_asked_when_its_turn_comes(world: World) -> None:
    ask(world, 1, "ask_shortly")
    ask(world, 1, "ask_shortly")
    world.run()

    assert errors(world.engine, SysAsyncTicket) == [
        None,
        "The precondition of Customer.assign_number is false (self.Number->isNull).",
    ]


def test_a_derived_value_follows_what_its_expression_reads(world: World) -> None:
    add(world, customer=1, amount=3)
    add(world, customer=1, amount=4)
    world.run()
    assert the(world, 1).total == 7

    add(world, customer=2, amount=5)
    ran = [work for work in works(world.run()) if work[0] == "Customer.total"]

    assert ran == [("Customer.total", "Customer!2")]


def test_a_guard_moves_a_machine(world: World) -> None:
    add(world, customer=1, amount=3)
    world.run()
    assert the(world, 1).state == "open"

    with world.engine.begin() as connection:
        connection.execute(text("UPDATE customer SET paid = 3 WHERE id = 1"))
    world.run()

    assert (the(world, 1).state, the(world, 2).state) == ("settled", "open")


def test_a_criteria_says_for_which_objects_a_timer_runs_and_in_which_order(world: World) -> None:
    add(world, customer=1, amount=9)
    add(world, customer=1, amount=2)
    world.clock.advance(timedelta(minutes=10))

    ran = [root for work, root in works(world.run()) if work == "SeeOrders"]

    assert ran == ["Order!2", "Order!1"]
    world.clock.advance(timedelta(minutes=10))
    assert [work for work, _ in works(world.run()) if work == "SeeOrders"] == []


def test_a_query_can_change_nothing(world: World) -> None:
    with world.session() as session, pytest.raises(HasEffects, match="which only actions and bodies of methods may do"):
        aw.ocl("self.number := 7")(session.get_one(Customer, 1))


def test_a_name_that_is_not_known_is_pointed_at(world: World) -> None:
    with world.session() as session, pytest.raises(UnknownName, match="column 6: Customer has no nunber") as found:
        aw.ocl("self.nunber->isNull")(session.get_one(Customer, 1))
    assert found.value.nearest[:1] == ("number",)


def test_an_application_evaluates_what_it_is_given(world: World) -> None:
    with world.session() as session:
        assert world.app.evaluate(session, "Customer.allInstances->select(c | c.number->isNull)->size") == 2
        assert world.app.evaluate(session, "self.id + 1", session.get_one(Customer, 1)) == 2


def add(world: World, customer: int, amount: int) -> None:
    with Session(world.engine) as session, session.begin():
        session.add(Order(customer_id=customer, amount=amount))


def test_many_values_are_calculated_by_one_statement(world: World) -> None:
    with world.session() as session, session.begin():
        session.add_all(Order(customer_id=1 + n % 2, amount=n) for n in range(40))
    with statements(world.engine) as sent:
        world.run()

    assert (the(world, 1).total, the(world, 2).total) == (380, 400)
    assert [one for one in sent if "FROM orders" in one and "sum(" in one]
    assert not [one for one in world.seen if isinstance(one, NotInSql)]
    assert world.app.verify(world.engine).differences == []
