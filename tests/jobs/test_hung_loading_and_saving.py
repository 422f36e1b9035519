"""Hooks of loading and saving that hang: the run fails alone, with its time-out, and everything else goes on."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, String, TypeDecorator, event, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, reconstructor

import afterwork as aw
from afterwork.events import Abandoned
from tests.support.hanging import GATE, HANGING, loops, waits
from tests.support.waiting import eventually
from tests.support.world import World

LIMIT = timedelta(seconds=0.5)
SHORT = timedelta(seconds=0.1)


def hang(place: str, thing: object) -> None:
    """Hang in a server, for the thing that is meant to, if this is the place."""
    name = str(getattr(thing, "name", thing)).strip()
    if place in HANGING and name == "hangs" and threading.current_thread().name.startswith("afterwork"):
        HANGING[place]()


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Text(TypeDecorator[str]):
    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        hang("bind", value)
        return value

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        hang("result", value)
        return value


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")
    note: Mapped[str | None] = mapped_column(Text)
    n: Mapped[int] = mapped_column(default=1)
    worked: Mapped[int] = mapped_column(default=0)
    ticks: Mapped[int] = mapped_column(default=0)
    twice: Mapped[int | None] = mapped_column()
    copied: Mapped[int | None] = mapped_column()

    @reconstructor
    def loaded(self) -> None:
        hang("load", self)

    @aw.method
    def work(self) -> None:
        self.note = f"{self.name} "
        self.worked += 1

    @aw.method(external=True)
    def call(self) -> None:
        self.work()

    @aw.derived(twice)
    def compute_twice(self) -> int:
        return 2 * self.n


class Copying(aw.ViewModel, root=Thing):
    when = aw.WhenStale()

    @aw.action
    def copy(self) -> None:
        self.root.copied = self.root.n


class Tick(aw.ViewModel, root=Thing):
    when = aw.Every(seconds=0.2, criteria=select(Thing).where(Thing.name == ""), lane="ticks")

    @aw.action
    def tick(self) -> None:
        self.root.ticks += 1


def in_session(place: str) -> Callable[..., None]:
    def hook(session: Session, *others: Any) -> None:
        for thing in [*session.new, *session.dirty]:
            hang(place, thing)

    return hook


def of_row(place: str) -> Callable[..., None]:
    return lambda mapper, connection, thing: hang(place, thing)


@pytest.fixture(autouse=True)
def _hooks() -> Iterator[None]:
    hooks: list[tuple[Any, str, Callable[..., None]]] = [
        (Session, "before_flush", in_session("before_flush")),
        (Session, "after_flush", in_session("after_flush")),
        (Thing, "before_update", of_row("before_update")),
    ]
    for hook in hooks:
        event.listen(*hook)
    yield
    for hook in hooks:
        event.remove(*hook)


LOADING = ["load", "result"]
SAVING = ["before_flush", "after_flush", "before_update", "bind"]
HOW = pytest.mark.parametrize("how", [loops, waits])
TOO_LONG = "TimedOut: It ran for longer than its timeout of 0.5 s"


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    HANGING.clear()
    GATE.clear()
    before = set(threading.enumerate())
    made = World(engine, Base, settings=aw.Settings(timeout=LIMIT, abandon_after=SHORT))
    with made.session() as session, session.begin():
        session.add_all(Thing(name=name, note=name) for name in ("", "hangs", "", "", "other"))
    made.run()
    made.app.clock = aw.SystemClock()
    yield made
    HANGING.clear()
    GATE.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


def goes_on(world: World, lane: str) -> None:
    """Work of another lane, and timers, go on."""
    ticks = world.all(Thing)[0].ticks
    with world.session() as session, session.begin():
        aw.later(session.get_one(Thing, 5).work, lane=lane)
    eventually(lambda: world.all(Thing)[4].worked == 1)
    eventually(lambda: world.all(Thing)[0].ticks > ticks)


WORKS = [("work", place) for place in (*LOADING, *SAVING)] + [("call", "load"), ("call", "after_flush")]


@HOW
@pytest.mark.parametrize(("work", "place"), WORKS)
def test_only_the_ticket_fails_whose_hook_hangs(world: World, work: str, place: str, how: Callable[[], None]) -> None:
    HANGING[place] = how
    with world.session() as session, session.begin():
        for thing in session.scalars(select(Thing).where(Thing.id < 5).order_by(Thing.id)):
            aw.later(getattr(thing, work))
    with world.app.serving(world.engine):
        goes_on(world, "other")
        eventually(lambda: all(ticket.done for ticket in world.all(SysAsyncTicket)))

    errors = [ticket.error or "" for ticket in world.all(SysAsyncTicket)]
    assert [error[: len(TOO_LONG)] for error in errors] == ["", TOO_LONG, "", "", ""]
    assert [thing.worked for thing in world.all(Thing)[:4]] == [1, 0, 1, 1]


@HOW
@pytest.mark.parametrize("place", [*LOADING, "before_flush"])
def test_only_the_cache_fails_whose_hook_hangs(world: World, place: str, how: Callable[[], None]) -> None:
    HANGING[place] = how
    with world.app.serving(world.engine):
        with world.engine.begin() as connection:
            connection.execute(text("UPDATE thing SET n = 2"))
        eventually(lambda: all((t.twice, t.copied) == (4, 2) for t in world.all(Thing) if t.name != "hangs"))
        goes_on(world, "other")
        HANGING.clear()
        GATE.set()
        with world.engine.begin() as connection:
            connection.execute(text("UPDATE thing SET n = 3 WHERE name = 'hangs'"))
        eventually(lambda: (world.all(Thing)[1].twice, world.all(Thing)[1].copied) == (6, 3))
    if place in LOADING and how is waits:  # what loops is interrupted, unless the machine is too slow for that
        assert any(isinstance(event, Abandoned) for event in world.seen)
