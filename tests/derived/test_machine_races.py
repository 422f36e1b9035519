"""Two move the same object: one wins, the other is told or looks again, and each state is entered once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm.exc import StaleDataError
from statemachine import State, StateChart

import afterwork as aw
from afterwork.errors import StateHasChanged
from afterwork.events import Event, Point, Reached
from afterwork.jobs.session import RunSession
from tests.support.death import Death
from tests.support.orders import Base, Order, Orders, orders
from tests.support.world import World

TAKEN = "INSERT INTO payment (id, order_id, amount) VALUES (1, 1, 10)"


@dataclass
class Between:
    """Does something when a server comes to a point of a run, once."""

    point: Point
    work: str
    act: Callable[[], object]
    done: bool = False

    def __call__(self, happened: Event) -> None:
        if happened == Reached(self.point, self.work) and not self.done:
            self.done = True
            self.act()


@pytest.fixture
def placed(engine: Engine) -> Orders:
    """An order that has been placed, and is not paid."""
    scene = orders(engine)
    scene.do("place")
    scene.run()
    return scene


def serve(scene: Orders, listener: Callable[[Event], None]) -> list[aw.Ended]:
    """A server with a listener runs all that is due."""
    return aw.Afterwork(Base, clock=scene.clock, on_event=listener).run_until_idle(scene.engine)


@contextmanager
def overtaken(act: Callable[[], object]) -> Iterator[None]:
    """Do something when the first run in the block is about to write what it has done."""
    acts = [act]

    def overtake(*_: Any) -> None:
        if acts:
            with aw.untracked():
                acts.pop()()

    event.listen(RunSession, "before_flush", overtake)
    try:
        yield
    finally:
        event.remove(RunSession, "before_flush", overtake)
    assert acts == []


def test_of_two_users_who_move_an_order_one_wins_and_the_other_is_told(placed: Orders) -> None:
    with placed.session() as one, placed.session() as other:
        mine, theirs = one.get_one(Order, 1), other.get_one(Order, 1)
        other.commit()
        mine.flow.cancel()
        one.commit()
        with pytest.raises(StateHasChanged, match=r"Order!1 was in the state placed of flow.*Roll back"):
            theirs.flow.cancel()
            other.commit()
        other.rollback()
        assert theirs.flow.state == "cancelled"
        assert not aw.can(theirs.flow.cancel)

    assert placed.entered() == ["cart", "placed", "cancelled"]


def test_a_user_who_has_read_an_order_before_the_server_moved_it_is_told(placed: Orders) -> None:
    with placed.session() as session:
        order = session.get_one(Order, 1)
        session.commit()
        placed.sql(TAKEN)
        placed.run()
        assert placed.state() == "paid"

        assert order.state == "placed"  # as it was read
        with pytest.raises(StateHasChanged):
            order.flow.remind()
            session.flush()
        session.rollback()

    assert placed.state() == "paid"
    assert placed.entered() == ["cart", "placed", "paid"]


def test_a_move_there_and_back_needs_the_state_that_it_began_in(engine: Engine) -> None:
    class Lamp(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Lamp): ...

    class Switch(StateChart[Any]):
        off = State(initial=True)
        on = State()
        broken = State(final=True)
        press = off.to(on) | on.to(off)
        smash = off.to(broken)

    class Bulb(Lamp):
        __tablename__ = "bulb"
        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[str | None] = mapped_column()
        flow = aw.machine(Switch, state=state)

    world = World(engine, Lamp)
    with world.session() as session, session.begin():
        session.add(Bulb(id=1))
    with world.session() as one, world.session() as other:
        mine, theirs = one.get_one(Bulb, 1), other.get_one(Bulb, 1)
        other.commit()
        mine.flow.smash()
        one.commit()
        theirs.flow.press()
        theirs.flow.press()
        with pytest.raises(StateHasChanged):
            other.commit()
    del SysAsyncTicket


def test_the_server_looks_again_if_a_user_has_moved_the_order_meanwhile(placed: Orders) -> None:
    placed.sql(TAKEN)

    serve(placed, Between("claimed", "Order.flow", lambda: placed.do("cancel")))

    # What is possible without an event comes first, also for the user.
    assert placed.state() == "cancelled"
    assert placed.entered() == ["cart", "placed", "paid", "cancelled"]


def test_the_server_does_not_move_what_a_user_has_made_impossible_meanwhile(placed: Orders) -> None:
    placed.sql(TAKEN)

    serve(placed, Between("claimed", "Order.flow", lambda: placed.sql("UPDATE payment SET amount = 1")))

    assert placed.state() == "placed"
    placed.sql("UPDATE payment SET amount = 10")
    placed.run()
    assert placed.state() == "paid"


@pytest.mark.parametrize("change", ["UPDATE orders SET total = 1", "UPDATE orders SET state = 'cancelled'"])
def test_what_a_user_changes_while_the_server_moves_is_neither_lost_nor_overwritten(
    placed: Orders, change: str
) -> None:
    if placed.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    placed.sql(TAKEN)

    with overtaken(lambda: placed.sql(change)):
        placed.run()

    assert placed.state() == ("cancelled" if "cancelled" in change else "paid")
    assert placed.entered().count("paid") == ("cancelled" not in change)


def test_the_event_of_a_ticket_meets_a_move_of_a_user_and_is_evaluated_again(placed: Orders) -> None:
    placed.ask("cancel")
    ended = serve(placed, Between("claimed", "Order.flow.cancel", lambda: None))
    assert placed.state() == "cancelled"
    assert [type(one.outcome) for one in ended if one.run.work == "Order.flow.cancel"] == [aw.Succeeded]

    placed.ask("cancel")
    (ended_again,) = [one for one in placed.run() if one.run.work == "Order.flow.cancel"]
    assert isinstance(ended_again.outcome, aw.Rejected)
    assert placed.entered() == ["cart", "placed", "cancelled"]


def test_a_ticket_that_is_overtaken_within_its_transaction_is_tried_again_and_then_not_possible(
    placed: Orders,
) -> None:
    if placed.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    placed.ask("remind")

    with overtaken(lambda: placed.sql("UPDATE orders SET state = 'cancelled'")):
        placed.run()
    placed.clock.advance(timedelta(minutes=1))
    placed.run()

    assert placed.state() == "cancelled"
    assert placed.entered() == ["cart", "placed"]
    assert "precondition" in str(placed.tickets()[-1][1])


@pytest.mark.parametrize("point", ["claimed", "ran", "before commit", "after commit"])
@pytest.mark.parametrize("work", ["Order.flow", "Order.flow.place"])
def test_wherever_a_server_dies_each_state_is_entered_once(engine: Engine, point: Point, work: str) -> None:
    scene = orders(engine)
    scene.sql("UPDATE article SET stock = 5")
    scene.ask("place")

    def die() -> None:
        raise Death

    death = Between(point, work, die)
    try:
        serve(scene, death)
        scene.sql(TAKEN)
        serve(scene, death)
    except Death:
        pass
    scene.run()
    if scene.state() == "placed":
        scene.sql(TAKEN)
        scene.run()

    assert death.done
    assert scene.state() == "packed"
    assert scene.entered() == ["cart", "placed", "paid", "packed"]
    assert scene.value("SELECT stock FROM article") == 4
    assert [(move[0], move[1]) for move in scene.history()] == [
        (None, "cart"),
        ("cart", "placed"),
        ("placed", "paid"),
        ("paid", "packed"),
    ]


# A class with a version.


class Versioned(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Versioned): ...


class DoorFlow(StateChart[Any]):
    shut = State(initial=True)
    ajar = State()
    open = State(final=True)
    push = shut.to(ajar)
    ajar.to(open, cond="is_pushed")


class Door(Versioned):
    __tablename__ = "door"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    state: Mapped[str | None] = mapped_column()
    is_pushed: Mapped[bool] = mapped_column(default=False)
    flow = aw.machine(DoorFlow, state=state)
    __mapper_args__ = {"version_id_col": version}


def test_a_move_counts_the_version_and_is_refused_where_that_is_another_one(engine: Engine) -> None:
    world = World(engine, Versioned)
    with world.session() as session, session.begin():
        session.add(Door(id=1))
    with world.session() as session:
        door = session.get_one(Door, 1)
        session.commit()
        with world.session() as other, other.begin():
            other.get_one(Door, 1).is_pushed = True
        door.flow.push()  # is_pushed is false, as it was read
        with pytest.raises(StaleDataError):
            session.commit()
        session.rollback()
        door.flow.push()
        session.commit()
        assert (door.state, door.version) == ("open", 3)


def test_a_move_of_the_server_counts_the_version_too(engine: Engine) -> None:
    world = World(engine, Versioned)
    with world.session() as session, session.begin():
        session.add(Door(id=1))
    with world.session() as session, session.begin():
        session.get_one(Door, 1).flow.push()
    with world.session() as session, session.begin():
        session.get_one(Door, 1).is_pushed = True
    world.run()

    (door,) = world.all(Door)
    assert (door.state, door.version) == ("open", 4)
