"""Things whose code hangs where a test says so: in Python, which can be interrupted, or in a library, which can't."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, Select, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from tests.support.world import World

LIMIT = timedelta(seconds=1)
"""Long enough for code that doesn't hang, even on a busy machine."""

SHORT = timedelta(seconds=0.1)

HANGING: dict[str, Callable[[], object]] = {}
"""The way in which code hangs, by its place."""

GATE = threading.Event()


def loops() -> None:
    while True:
        time.sleep(0.001)


def waits() -> None:
    GATE.wait()


def hang(place: str, thing: "Thing | None" = None) -> None:
    """Hang if this is a place that hangs, and where it is about things, if this is one that does."""
    if place in HANGING and (thing is None or thing.place == place):
        HANGING[place]()


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Flow(StateChart[Any]):
    low = State(initial=True)
    high = State(final=True)
    low.to(high, cond="is_high", on="rising")


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=1)
    place: Mapped[str | None] = mapped_column()
    """Where its code hangs."""
    twice: Mapped[int | None] = mapped_column()
    copied: Mapped[int | None] = mapped_column()
    told: Mapped[str | None] = mapped_column()
    ticks: Mapped[int] = mapped_column(default=0)
    worked: Mapped[int] = mapped_column(default=0)
    state: Mapped[str | None] = mapped_column()
    flow = aw.machine(Flow, state=state)

    def is_high(self) -> bool:
        hang("guard", self)
        return self.n > 1

    def rising(self) -> None:
        hang("effect", self)

    @aw.derived(twice)
    def compute_twice(self) -> int:
        hang("calculation", self)
        return 2 * self.n

    @aw.method
    def work(self) -> None:
        self.worked += 1


class Copying(aw.ViewModel, root=Thing):
    when = aw.WhenStale()

    @aw.action
    def copy(self) -> None:
        self.root.copied = self.root.n
        if HANGING and self.root.place == "on_exception":
            raise ValueError("which is told")
        hang("view model", self.root)

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        hang("on_exception", self.root)
        self.root.told = self.error_text


def things() -> Select[Any]:
    hang("criteria")
    return select(Thing)


class AFirst(aw.ViewModel, root=Thing):
    when = aw.Every(seconds=0.5, criteria=things, before=lambda variables: hang("before"))

    @aw.action
    def do(self) -> None: ...


class Ticks(aw.ViewModel, root=Thing):
    when = aw.Every(seconds=0.5, criteria=select(Thing), lane="ticks")

    @aw.action
    def tick(self) -> None:
        self.root.ticks += 1


PLACES = ["calculation", "guard", "effect", "view model", "on_exception", None]


def add_things(engine: Engine) -> None:
    """Add a thing for each place, and one that never hangs."""
    with Session(engine) as session, session.begin():
        session.add_all(Thing(place=place) for place in PLACES)


@contextmanager
def served(engine: Engine, **settings: Any) -> Iterator[World]:
    """A server with things, each of whose values is right. At the end, nothing hangs any more."""
    HANGING.clear()
    GATE.clear()
    world = World(engine, Base, settings=aw.Settings(**{"timeout": LIMIT, "held_limit": SHORT, **settings}))
    add_things(engine)
    world.run()
    world.app.clock = aw.SystemClock()
    before = set(threading.enumerate())
    try:
        with world.app.serving(engine):
            yield world
            HANGING.clear()
            GATE.set()
    finally:
        HANGING.clear()
        GATE.set()
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
