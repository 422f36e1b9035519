"""Hooks of a run have time-outs: one that hangs fails alone, and its ticket is settled without it."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import BackOffFailed, PutOff
from tests.support.waiting import eventually
from tests.support.world import World

GATE = threading.Event()

HANGING: dict[str, Callable[[], object]] = {}
"""The way in which a hook hangs, by its name."""


def loops() -> None:
    while True:
        time.sleep(0.001)


def waits() -> None:
    GATE.wait()


def hang(hook: str) -> None:
    HANGING.get(hook, lambda: None)()


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    worked: Mapped[int] = mapped_column(default=0)

    @aw.method
    def work(self) -> None:
        self.worked += 1


class Fails(aw.ViewModel[Thing]):
    @aw.action
    def do(self) -> None:
        raise ValueError("not today")

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        hang("on_exception")


class FailsOutside(Fails):
    external = True


class Wordless(Exception):
    def __str__(self) -> str:
        hang("text")
        return "not today"


class FailsWordlessly(aw.ViewModel[Thing]):
    @aw.action
    def do(self) -> None:
        raise Wordless


def pause(attempt: int) -> timedelta:
    hang("backoff")
    return timedelta(0)


class TriesAgain(aw.ViewModel[Thing]):
    retry = aw.Retry(attempts=2, backoff=pause)

    @aw.action
    def do(self) -> None:
        raise ValueError("not today")


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    GATE.clear()
    HANGING.clear()
    short = timedelta(seconds=0.1)
    before = set(threading.enumerate())
    made = World(engine, Base, settings=aw.Settings(inside_limit=timedelta(seconds=1.2), abandon_after=short))
    with made.session() as session, session.begin():
        session.add(Thing())
    yield made
    GATE.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


def asked(world: World, work: type[aw.ViewModel[Any]]) -> SysAsyncTicket:
    """A ticket for a work, with one behind it, after the second one is done."""
    with world.session() as session, session.begin():
        thing = session.get_one(Thing, 1)
        aw.later(work(thing))
        aw.later(thing.work)
    with world.app.serving(world.engine):
        eventually(lambda: world.all(Thing)[0].worked == 1)
        eventually(lambda: world.all(SysAsyncTicket)[0].attempts == 1)
    first: SysAsyncTicket = world.all(SysAsyncTicket)[0]
    return first


@pytest.mark.parametrize("how", [loops, waits])
@pytest.mark.parametrize("work", [Fails, FailsOutside])
def test_a_ticket_ends_without_an_on_exception_that_hangs(
    world: World, how: Callable[[], Any], work: type[aw.ViewModel[Any]]
) -> None:
    HANGING["on_exception"] = how
    error = asked(world, work).error
    assert error is not None
    assert error.startswith("ValueError: not today")
    assert "on_exception raised, too: TimedOut: It ran for longer than its timeout of 1.2 s" in error


@pytest.mark.parametrize("how", [loops, waits])
def test_the_default_pause_stands_in_for_a_back_off_that_hangs(world: World, how: Callable[[], Any]) -> None:
    HANGING["backoff"] = how
    assert asked(world, TriesAgain).error is None
    (put_off,) = [event for event in world.seen if isinstance(event, PutOff)]
    assert put_off.seconds == 10
    assert "TimedOut" in next(event for event in world.seen if isinstance(event, BackOffFailed)).error


@pytest.mark.parametrize("how", [loops, waits])
def test_the_name_of_an_exception_stands_in_for_a_text_that_hangs(world: World, how: Callable[[], Any]) -> None:
    HANGING["text"] = how
    assert asked(world, FailsWordlessly).error == "Wordless: (its text can't be had: it took too long)"
