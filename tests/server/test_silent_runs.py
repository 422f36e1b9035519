"""A run without a time-out that hangs in its transaction: it is abandoned when that is over, and given up at last."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import WorkerLost
from tests.support.waiting import eventually
from tests.support.world import World

GATE = threading.Event()


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    worked: Mapped[int] = mapped_column(default=0)

    @aw.method
    def work(self) -> None:
        self.worked += 1

    @aw.method
    def hang(self) -> None:
        self.worked += 100
        GATE.wait()

    @aw.method(external=True)
    def call(self) -> None:
        GATE.wait()
        self.worked += 1


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    GATE.clear()
    before = set(threading.enumerate())
    limit, short = timedelta(seconds=0.7), timedelta(seconds=0.2)
    settings = aw.Settings(inside_limit=limit, abandon_after=short, held_limit=short, crash_limit=1)
    made = World(engine, Base, settings=settings)
    made.app.clock = aw.SystemClock()
    yield made
    GATE.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


def ask(world: World, *works: str, lane: str = "main") -> None:
    with world.session() as session, session.begin():
        for work in works:
            thing = Thing()
            session.add(thing)
            aw.later(getattr(thing, work), lane=lane)


@pytest.mark.parametrize("lane", ["hung", "parallel"])
def test_it_is_given_up_and_its_lane_goes_on(world: World, lane: str) -> None:
    ask(world, "hang", "work", lane=lane)
    ask(world, "work")
    with world.app.serving(world.engine):
        eventually(lambda: all(ticket.done for ticket in world.all(SysAsyncTicket)))
        GATE.set()  # and what it does then reaches nothing

    hung, behind, beside = (ticket.error for ticket in world.all(SysAsyncTicket))
    assert hung.startswith("It took longer than inside_limit of 0.7 s: make it external")
    assert (behind, beside) == (None, None)
    assert [thing.worked for thing in world.all(Thing)] == [0, 1, 1]
    assert "StaysSilent" in {type(event.error).__name__ for event in world.seen if isinstance(event, WorkerLost)}


def test_an_external_run_that_takes_long_is_left_alone(world: World) -> None:
    ask(world, "call", lane="calls")
    with world.app.serving(world.engine):
        ask(world, "hang", lane="hung")
        eventually(lambda: world.all(SysAsyncTicket)[1].done)
        GATE.set()
        eventually(lambda: world.all(SysAsyncTicket)[0].done)

    assert (world.all(SysAsyncTicket)[0].error, world.all(Thing)[0].worked) == (None, 1)
