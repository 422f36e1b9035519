"""What may be declared as a machine and what not, and how the states of one stand in a column."""

import enum
from typing import Any

import pytest
from sqlalchemy import Engine, Enum, ForeignKey, Integer, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from statemachine import Event, HistoryState, State, StateChart

import afterwork as aw
from afterwork.errors import BadDeclaration, BadRequest, ModelError, NotInstalled, NotInThisState, UnknownState
from tests.support.world import World


class Flow(StateChart[Any]):
    """Goes to paid by an event, and from there to sent by itself."""

    cart = State(initial=True)
    paid = State()
    sent = State(final=True)
    pay = cart.to(paid)
    paid.to(sent, cond="is_packed")


def a_base() -> Any:
    """A declarative base with tickets, and nothing else as yet."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    Base.tickets = SysAsyncTicket  # which keeps it
    return Base


def an_order(base: Any, chart: Any = Flow) -> Any:
    class Order(base):  # type: ignore[misc]
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[str | None] = mapped_column()
        is_packed: Mapped[bool] = mapped_column(default=False)
        flow = aw.machine(chart, state=state)

    return Order


def saved(world: World, obj: Any) -> None:
    with world.session() as session, session.begin():
        session.add(obj)


def stored(world: World, table: str = "orders", column: str = "state") -> Any:
    with world.engine.connect() as connection:
        return connection.execute(text(f"SELECT {column} FROM {table}")).scalar()


# What can't be kept in a database.


def test_what_is_no_chart_is_refused() -> None:
    with pytest.raises(BadDeclaration, match=r"derives from statemachine.StateChart"):
        aw.machine(int, state="state")  # type: ignore[arg-type]


def test_a_chart_without_states_is_refused() -> None:
    class Empty(StateChart[Any]): ...

    with pytest.raises(BadDeclaration, match=r"Empty has no states"):
        aw.machine(Empty, state="state")


def test_a_history_state_is_refused_since_what_it_remembers_would_be_lost() -> None:
    class Remembering(StateChart[Any]):
        class work(State.Compound):
            one = State(initial=True)
            two = State()
            one.to(two)
            before = HistoryState()

        rest = State()
        stop = work.to(rest)
        go_on = rest.to(work.before)

    with pytest.raises(BadDeclaration, match=r"Remembering.before is a history state"):
        aw.machine(Remembering, state="state")


def test_a_state_that_invokes_something_is_refused() -> None:
    class Calling(StateChart[Any]):
        first = State(initial=True, invoke=lambda: None)
        last = State(final=True)
        first.to(last)

    with pytest.raises(BadDeclaration, match=r"Calling.first invokes .* aw.while_in"):
        aw.machine(Calling, state="state")


def test_an_event_with_a_delay_is_refused() -> None:
    class Slow(StateChart[Any]):
        first = State(initial=True)
        last = State(final=True)
        end = Event(first.to(last), delay=1000)

    with pytest.raises(BadDeclaration, match=r"Slow.end has a delay.*aw.while_in"):
        aw.machine(Slow, state="state")


def test_values_of_nested_states_are_texts_without_commas() -> None:
    class Odd(StateChart[Any]):
        class work(State.Compound):
            one = State(initial=True, value=1)
            two = State(final=True)
            one.to(two)

    with pytest.raises(BadDeclaration, match=r"Odd.one has the value 1.*texts without ','"):
        aw.machine(Odd, state="state")


def test_asynchronous_guards_and_actions_are_refused() -> None:
    class Waiting(StateChart[Any]):
        first = State(initial=True)
        last = State(final=True)
        end = first.to(last)

        async def on_end(self) -> None: ...

    base = a_base()
    an_order(base, Waiting)

    with pytest.raises(ModelError, match=r"machine flow.*asynchronous"):
        _ = aw.Afterwork(base).model


def test_a_state_column_that_is_not_there_is_listed_with_all_that_is_wrong() -> None:
    base = a_base()

    class Order(base):  # type: ignore[valid-type, misc]
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        flow = aw.machine(Flow, state="stat")

    with pytest.raises(ModelError, match=r"the machine flow: 'stat' is no column of Order"):
        _ = aw.Afterwork(base).model


def test_a_guard_that_exists_nowhere_is_listed_with_where_it_is_named() -> None:
    class Hopeful(StateChart[Any]):
        first = State(initial=True)
        last = State(final=True)
        first.to(last, cond="is_wonderful")

    base = a_base()
    an_order(base, Hopeful)

    with pytest.raises(ModelError, match=r"the machine flow can't be used on Order.*is_wonderful"):
        _ = aw.Afterwork(base).model


# What may be declared.


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


# Configurations.


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
    assert "no state 'nowhere'" in ended.outcome.text


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
def test_what_has_not_begun_is_asked_as_if_it_were_in_its_first_state(engine: Engine, chart: Any) -> None:
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
