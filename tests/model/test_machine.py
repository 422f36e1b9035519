"""Machines that may be declared, and how the states of one are stored in a column."""

import enum
from typing import Any

import pytest
from sqlalchemy import Engine, Enum, ForeignKey, Integer, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from afterwork.errors import BadRequest, NotInstalled, NotInThisState, UnknownState
from tests.support.machine_model import Flow, a_base, an_order, saved, stored
from tests.support.world import World


def test_two_machines_of_one_class_each_have_a_column(engine: Engine) -> None:
    class Bill(StateChart[Any]):
        due = State(initial=True)
        settled = State(final=True)
        settle = due.to(settled)

    base = a_base()

    class Order(base):  # type: ignore[valid-type, misc]
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[str | None] = mapped_column()
        billing: Mapped[str | None] = mapped_column()
        is_packed: Mapped[bool] = mapped_column(default=False)
        flow = aw.machine(Flow, state=state)
        bill = aw.machine(Bill, state=billing)

    world = World(engine, base)
    saved(world, Order(id=1))
    with world.session() as session, session.begin():
        order = session.get_one(Order, 1)
        assert (order.flow.state, order.bill.state) == ("cart", "due")
        order.bill.settle()

    assert (stored(world), stored(world, column="billing")) == ("cart", "settled")


def test_a_machine_may_be_given_to_a_class_that_is_there(engine: Engine) -> None:
    base = a_base()

    class Order(base):  # type: ignore[valid-type, misc]
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[str | None] = mapped_column()
        is_packed: Mapped[bool] = mapped_column(default=False)

    Order.flow = aw.machine(Flow, state=Order.state)
    world = World(engine, base)
    saved(world, Order(id=1))
    with world.session() as session, session.begin():
        session.get_one(Order, 1).flow.pay()
    with engine.begin() as connection:
        connection.execute(text("UPDATE orders SET is_packed = true"))

    assert [one.run.work for one in world.run()] == ["Order.flow"]
    assert stored(world) == "sent"


@pytest.mark.parametrize("joined", [True, False])
def test_objects_of_derived_classes_have_the_machine_of_their_base(engine: Engine, joined: bool) -> None:
    base = a_base()

    class Order(base):  # type: ignore[valid-type, misc]
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str] = mapped_column()
        state: Mapped[str | None] = mapped_column()
        is_packed: Mapped[bool] = mapped_column(default=False)
        flow = aw.machine(Flow, state=state)
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "order"}

    class Express(Order):
        if joined:
            __tablename__ = "express"
            id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
        courier: Mapped[str | None] = mapped_column()
        __mapper_args__ = {"polymorphic_identity": "express"}

    world = World(engine, base)
    saved(world, Express(id=1, courier="Bob"))
    assert stored(world) == "cart"
    with world.session() as session, session.begin():
        session.get_one(Express, 1).flow.pay()
        aw.later(session.get_one(Express, 1).state_machine_trigger)
    world.run()
    assert stored(world) == "paid"

    with world.session() as session, session.begin():
        session.execute(update(Order).values(is_packed=True))
    world.run()

    assert stored(world) == "sent"


class Stage(enum.Enum):
    CART = "c"
    PAID = "p"
    SENT = "s"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Enum(Stage), (Stage.CART, Stage.PAID, Stage.SENT)),
        (Integer(), (1, 2, 3)),
    ],
    ids=["Enum", "Integer"],
)
def test_states_of_flat_charts_may_have_other_values_than_texts(
    engine: Engine, kind: Any, values: tuple[Any, ...]
) -> None:
    class Valued(StateChart[Any]):
        cart = State(initial=True, value=values[0])
        paid = State(value=values[1])
        sent = State(final=True, value=values[2])
        pay = cart.to(paid)
        paid.to(sent, cond="is_packed")

    base = a_base()

    class Order(base):  # type: ignore[valid-type, misc]
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[Any] = mapped_column(kind)
        is_packed: Mapped[bool] = mapped_column(default=True)
        flow = aw.machine(Valued, state=state)

    world = World(engine, base)
    saved(world, Order(id=1))
    with world.session() as session, session.begin():
        order = session.get_one(Order, 1)
        assert order.state == values[0]
        order.flow.pay()
        assert order.state == values[2]
        assert order.flow.is_in("sent")
    with world.session() as session:
        assert session.scalars(select(Order.state)).one() == values[2]


class Building(StateChart[Any]):
    """Nested states, and a parallel part."""

    class site(State.Compound):
        cleared = State(initial=True)
        dug = State()
        dig = cleared.to(dug)

    class works(State.Parallel):
        class walls(State.Compound):
            low = State(initial=True)
            high = State(final=True)
            raise_walls = low.to(high)

        class wires(State.Compound):
            none = State(initial=True)
            laid = State(final=True)
            lay = none.to(laid)

    ready = State(final=True)
    begin = site.to(works)
    works.to(ready, cond="is_approved")

    def is_approved(self, model: Any) -> bool:
        return bool(model.is_packed) and self.is_done

    @property
    def is_done(self) -> bool:
        return {"high", "laid"} <= set(self.configuration_values)


def test_nested_and_parallel_states_are_found_again_by_a_new_session(engine: Engine) -> None:
    base = a_base()
    order_class = an_order(base, Building)
    world = World(engine, base)
    saved(world, order_class(id=1))
    seen = [stored(world)]
    for event in ("dig", "begin", "lay", "raise_walls"):
        with world.session() as session, session.begin():
            order = session.get_one(order_class, 1)
            getattr(order.flow, event)()
        seen.append(stored(world))

    assert seen == ["cleared", "dug", "low,none", "low,laid", "high,laid"]
    with world.session() as session:
        order = session.get_one(order_class, 1)
        assert [order.flow.is_in(name) for name in ("works", "walls", "high", "low", "site")] == [1, 1, 1, 0, 0]
        with pytest.raises(NotInThisState):
            order.flow.dig()


def test_a_machine_leaves_a_parallel_state_by_itself(engine: Engine) -> None:
    base = a_base()
    order_class = an_order(base, Building)
    world = World(engine, base)
    saved(world, order_class(id=1, state="high,none", is_packed=True))
    world.run()
    assert stored(world) == "high,none"

    with world.session() as session, session.begin():
        session.execute(text("UPDATE orders SET state = 'high,laid'"))
    world.run()

    assert stored(world) == "ready"


def test_an_unknown_state_in_the_column_is_an_error_that_names_those_that_there_are(engine: Engine) -> None:
    base = a_base()
    order_class = an_order(base)
    world = World(engine, base)
    saved(world, order_class(id=1))
    with engine.begin() as connection:
        connection.execute(text("UPDATE orders SET state = 'nowhere'"))

    with world.session() as session:
        order = session.get_one(order_class, 1)
        with pytest.raises(UnknownState, match=r"Flow has no state 'nowhere'. It has: cart, paid, sent"):
            order.flow.pay()
        with pytest.raises(UnknownState):
            aw.can(order.flow.pay)
        with pytest.raises(UnknownState):
            order.flow.is_in("cart")
    (ended,) = world.run()
    assert isinstance(ended.outcome, aw.Raised)
    assert "no state 'nowhere'" in ended.outcome.error


def test_an_event_that_is_not_declared_is_an_error_that_names_those_that_are() -> None:
    order = an_order(a_base())()

    with pytest.raises(AttributeError, match=r"the machine flow has no event x. It has: pay\."):
        _ = order.flow.x


def test_an_event_in_the_wrong_state_is_an_error_that_names_what_is_possible(engine: Engine) -> None:
    base = a_base()
    order_class = an_order(base)
    world = World(engine, base)
    saved(world, order_class(id=1, state="sent"))

    with world.session() as session:
        order = session.get_one(order_class, 1)
        assert not aw.can(order.flow.pay)
        with pytest.raises(NotInThisState, match=r"pay is not possible: Order!1 is in the state sent.*nothing"):
            order.flow.pay()


def test_while_in_is_refused_elsewhere_than_in_an_entry_action(engine: Engine) -> None:
    base = a_base()
    order_class = an_order(base)
    with Session(engine) as session:
        order = order_class(id=1)
        session.add(order)
        with pytest.raises(BadRequest, match=r"entry actions"):
            aw.while_in(order.flow.pay)


@pytest.mark.parametrize("chart", [Flow, Building])
def test_a_machine_that_has_not_begun_answers_as_if_in_its_first_state(engine: Engine, chart: Any) -> None:
    base = a_base()
    order_class = an_order(base, chart)
    world = World(engine, base)
    with world.engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (id, is_packed) VALUES (1, false)"))
    first, later = ("pay", None) if chart is Flow else ("dig", "lay")

    with world.session() as session:
        order = session.get_one(order_class, 1)
        assert aw.can(getattr(order.flow, first))
        assert later is None or not aw.can(getattr(order.flow, later))
        assert order.state is None
        getattr(order.flow, first)()
        assert order.state in ("paid", "dug")


def test_the_first_states_are_those_that_are_entered(engine: Engine) -> None:
    for chart, entered in ((Flow, "cart"), (Building, "cleared")):
        base = a_base()
        machine = an_order(base, chart).flow
        assert machine.states.write(machine.states.first) == entered


def test_a_history_without_afterworks_tables_says_what_to_do(engine: Engine) -> None:
    base = a_base()
    order_class = an_order(base, aw.track_history(type("Tracked", (Flow,), {})))
    base.metadata.create_all(engine)

    with Session(engine) as session, pytest.raises(NotInstalled, match=r"Create them once with app\.install"):
        session.add(order_class(id=1))
        session.flush()
