"""What is done with results and exceptions may hang: types of columns, comparisons, texts. Then it fails alone."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Integer, Select, TypeDecorator, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import Failed, RoundFailed
from tests.support.hanging import GATE, HANGING, loops, waits
from tests.support.waiting import eventually
from tests.support.world import World

LIMIT = timedelta(seconds=0.5)
SHORT = timedelta(seconds=0.1)


def hang(place: str) -> None:
    """Hang in a server, if this is the place."""
    if place in HANGING and threading.current_thread().name.startswith("afterwork"):
        HANGING[place]()


@dataclass(frozen=True)
class Amount:
    """A result of the application's own class. One of 4 may hang."""

    cents: int

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Amount):
            return False
        self.hang("equal")
        other.hang("equal")
        return self.cents == other.cents

    def __hash__(self) -> int:
        return hash(self.cents)

    def hang(self, place: str) -> None:
        if self.cents == 4:
            hang(place)


class AmountColumn(TypeDecorator[Amount]):
    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        if value is not None:
            value.hang("bind")
        return None if value is None else value.cents

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else Amount(value)


class Wordless(Exception):
    def __init__(self, place: str) -> None:
        self.place = place

    def __str__(self) -> str:
        hang(self.place)
        return "no words"


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    """Things whose `n` is 2 are those that hang."""

    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=1)
    amount: Mapped[Amount | None] = mapped_column(AmountColumn)
    half: Mapped[float | None] = mapped_column()
    copied: Mapped[int | None] = mapped_column()
    ticks: Mapped[int] = mapped_column(default=0)
    worked: Mapped[int] = mapped_column(default=0)

    @aw.derived(amount)
    def compute_amount(self) -> Amount:
        return Amount(2 * self.n)

    @aw.derived(half)
    def compute_half(self) -> float:
        if self.n == 2 and "calculation" in HANGING:
            raise Wordless("calculation")
        return self.n / 2

    @aw.method
    def work(self) -> None:
        self.worked += 1


class Copying(aw.ViewModel, root=Thing):
    when = aw.WhenStale()

    @aw.action
    def copy(self) -> None:
        if self.root.n == 2 and HANGING.keys() & {"view model", "on_exception"}:
            raise Wordless("view model")
        self.root.copied = self.root.n

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        if "on_exception" in HANGING:
            raise Wordless("on_exception")


def things() -> Select[Any]:
    if "criteria" in HANGING:
        raise Wordless("criteria")
    return select(Thing)


class Searching(aw.ViewModel, root=Thing):
    when = aw.Every(seconds=0.5, criteria=things)

    @aw.action
    def do(self) -> None: ...


class Ticks(aw.ViewModel, root=Thing):
    when = aw.Every(seconds=0.3, criteria=select(Thing), lane="ticks")

    @aw.action
    def tick(self) -> None:
        self.root.ticks += 1


class Upgrade(aw.ViewModel, model=Base):
    when = aw.Once()

    @aw.action
    def first(self) -> None:
        if "once" in HANGING:
            raise Wordless("once")

    @aw.action
    def second(self) -> None: ...


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    HANGING.clear()
    GATE.clear()
    before = set(threading.enumerate())
    made = World(engine, Base, settings=aw.Settings(inside_limit=LIMIT, abandon_after=SHORT, held_limit=SHORT))
    with made.session() as session, session.begin():
        session.add_all(Thing() for _ in range(4))
    made.app.clock = aw.SystemClock()
    yield made
    HANGING.clear()
    GATE.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


def is_made(thing: Thing) -> bool:
    return (thing.amount, thing.half, thing.copied) == (Amount(2 * thing.n), thing.n / 2, thing.n)


def others_go_on(world: World) -> None:
    """What doesn't hang is done: values of other things, timers, and tickets."""
    eventually(lambda: all(is_made(thing) for thing in world.all(Thing) if thing.n != 2))
    ticks = world.all(Thing)[3].ticks
    eventually(lambda: world.all(Thing)[3].ticks > ticks)
    with world.session() as session, session.begin():
        aw.later(session.get_one(Thing, 4).work)
    eventually(lambda: world.all(Thing)[3].worked == 1)


def errors(world: World, work: str) -> list[str]:
    return [event.error for event in list(world.seen) if isinstance(event, Failed) and event.work == work]


HOW = pytest.mark.parametrize("how", [loops, waits])
TOO_LONG = "TimedOut: It ran for longer than its timeout of 0.5 s"

PLACES = {
    "bind": "Thing.amount",
    "equal": "Thing.amount",
    "calculation": "Thing.half",
    "view model": "Copying",
    "on_exception": "Copying",
}
"""The caches that fail if something hangs there."""


@HOW
@pytest.mark.parametrize("place", PLACES)
def test_a_cache_fails_alone_if_what_is_done_with_its_result_hangs(
    world: World, place: str, how: Callable[[], None]
) -> None:
    world.run()
    with world.app.serving(world.engine):
        HANGING[place] = how
        with world.engine.begin() as connection:
            connection.execute(text("UPDATE thing SET n = CASE id WHEN 2 THEN 2 ELSE 3 END"))
        others_go_on(world)
        eventually(lambda: errors(world, PLACES[place]))
        assert errors(world, PLACES[place])[0].startswith("Wordless: no words" if place == "on_exception" else TOO_LONG)
        HANGING.clear()
        GATE.set()
        with world.engine.begin() as connection:
            connection.execute(text("UPDATE thing SET n = 4"))
        eventually(lambda: all(map(is_made, world.all(Thing))))


@HOW
def test_a_round_fails_alone_if_the_text_of_its_exception_hangs(world: World, how: Callable[[], None]) -> None:
    HANGING["criteria"] = how
    with world.app.serving(world.engine):
        others_go_on(world)
        eventually(lambda: [event for event in list(world.seen) if isinstance(event, RoundFailed)])
    failed = next(event for event in world.seen if isinstance(event, RoundFailed))
    assert failed.error.startswith(TOO_LONG)


@HOW
def test_an_upgrade_that_fails_is_noted_if_the_text_of_its_exception_hangs(
    world: World, how: Callable[[], None]
) -> None:
    HANGING["once"] = how
    with world.app.serving(world.engine):
        eventually(lambda: [view.error for view in world.app.insight(world.engine).once() if view.error])
        (error,) = [view.error for view in world.app.insight(world.engine).once() if view.error]
        assert error == "Wordless: (its text can't be had: it took too long)"
        HANGING.clear()
        GATE.set()
