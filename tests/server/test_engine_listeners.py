"""Listeners of the application's engine that raise or hang where a server does its own work: nothing is lost."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import Broken
from afterwork.store.dialects import database_of
from tests.support.waiting import eventually
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=1)
    worked: Mapped[int] = mapped_column(default=0)
    called: Mapped[int] = mapped_column(default=0)
    ticks: Mapped[int] = mapped_column(default=0)
    twice: Mapped[int | None] = mapped_column()

    @aw.derived(twice)
    def compute_twice(self) -> int:
        return 2 * self.n

    @aw.method
    def work(self) -> None:
        self.worked += 1

    @aw.method(external=True)
    def call(self) -> None:
        self.called += 1


class Tick(aw.ViewModel, root=Thing):
    when = aw.Every(seconds=0.1, criteria=select(Thing).where(Thing.id == 1), lane="ticks")

    @aw.action
    def tick(self) -> None:
        self.root.ticks += 1


EVENTS = ["connect", "checkout", "begin", "commit", "rollback", "before_cursor_execute"]


class Listener:
    """A listener to an engine, which does what a test says in the threads that it names."""

    def __init__(self, error: type[BaseException] = ValueError) -> None:
        self.threads: tuple[str, ...] = ()
        self.error = error
        self.heard = 0

    def __call__(self, *heard: Any) -> None:
        if threading.current_thread().name.startswith(self.threads):
            self.heard += 1
            raise self.error("not today")


@contextmanager
def listening(engine: Engine, name: str, listener: Callable[..., None]) -> Iterator[None]:
    event.listen(engine, name, listener)
    try:
        yield
    finally:
        event.remove(engine, name, listener)


@pytest.fixture
def world(engine: Engine) -> World:
    made = World(engine, Base, settings=aw.Settings(standby_poll=timedelta(seconds=0.2)))
    with made.session() as session, session.begin():
        session.add_all(Thing() for _ in range(3))
    made.run()
    made.app.clock = aw.SystemClock()
    return made


def ask(world: World) -> None:
    with world.session() as session, session.begin():
        for thing in session.scalars(select(Thing)):
            aw.later(thing.work)
            aw.later(thing.call, lane="other")
            thing.n += 1


def is_done_once(world: World) -> bool:
    things = world.all(Thing)
    assert all(thing.worked <= 1 and thing.called <= 1 for thing in things)
    return all((thing.worked, thing.called, thing.twice) == (1, 1, 2 * thing.n) for thing in things)


@pytest.mark.parametrize("error", [ValueError, SystemExit])
@pytest.mark.parametrize("threads", ["afterwork-server", "afterwork-"])
@pytest.mark.parametrize("name", EVENTS)
def test_nothing_is_lost_while_a_listener_raises(
    world: World, engine: Engine, name: str, threads: str, error: type[BaseException]
) -> None:
    if name == "begin" and engine.dialect.name == "sqlite":
        pytest.skip("servers on SQLite begin without such listeners")
    listener = Listener(error)
    with listening(engine, name, listener), world.app.serving(engine):
        eventually(lambda: world.all(Thing)[0].ticks > 0)
        listener.threads = (threads,)
        ask(world)
        eventually(lambda: listener.heard > 1 or is_done_once(world))
        listener.threads = ()
        eventually(lambda: is_done_once(world))
        eventually(lambda: world.app.health(engine).ready)

    assert [ticket.error for ticket in world.all(SysAsyncTicket)] == [None] * 6


def test_what_a_listener_hinders_is_not_tried_in_a_hurry(world: World, engine: Engine) -> None:
    """A lane whose tickets can't be claimed waits, while others go on."""
    hindered: list[str] = []

    def hinder(connection: Any, cursor: Any, statement: str, parameters: object, *others: Any) -> None:
        is_loop = threading.current_thread().name == "afterwork-server"
        if not is_loop and "bad" in str(parameters) and statement.startswith("WITH locked"):
            hindered.append(statement)
            raise ValueError("not today")

    world.app.settings = aw.Settings(standby_poll=timedelta(hours=1))
    with listening(engine, "before_cursor_execute", hinder), world.app.serving(engine):
        with world.session() as session, session.begin():
            aw.later(session.get_one(Thing, 2).work, lane="bad")
        eventually(lambda: hindered)
        ticks = world.all(Thing)[0].ticks
        eventually(lambda: world.all(Thing)[0].ticks > ticks + 3)

    assert len(hindered) == 1
    assert len([event for event in world.seen if isinstance(event, Broken)]) == 1


def fail(*heard: Any) -> None:
    raise ValueError("not today")


def fail_again(*heard: Any) -> None:
    raise ValueError("nor now")


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", ["checkin", "rollback"])
def test_a_connection_that_can_not_be_prepared_is_closed(engine: Engine, name: str) -> None:
    opened: list[Any] = []
    event.listen(engine, "connect", lambda driver, record: opened.append(driver))
    with listening(engine, "commit", fail), listening(engine, name, fail_again), pytest.raises(ValueError, match="no"):
        database_of(engine, aw.Settings()).connect()

    assert opened[-1].closed


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_transaction_in_which_a_listener_raises_lets_go_of_everything(
    world: World, engine: Engine, error: type[BaseException]
) -> None:
    def interrupt(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        if "SELECT 1" in statement:
            raise error("not today")

    database = database_of(engine, aw.Settings())
    change = text("UPDATE thing SET n = n + 1")
    with closing(database.connect()) as connection, listening(engine, "before_cursor_execute", interrupt):
        with pytest.raises(error, match="not today"), database.transaction(connection):
            connection.execute(change)
            connection.execute(text("SELECT 1"))
        with engine.begin() as other:
            other.exec_driver_sql("SET lock_timeout = 100" if engine.dialect.name == "postgresql" else "SELECT 2")
            other.execute(change)

    assert [thing.n for thing in world.all(Thing)] == [2, 2, 2]
