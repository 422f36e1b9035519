"""What a signal's handler raises while a job runs in the main thread is for the program, and ends it."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.world import World, the_only


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)

    @aw.method
    def be_interrupted(self) -> None:
        self.n += 1
        signal.raise_signal(signal.SIGINT)

    @aw.method
    def keep_it_to_itself(self) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            self.n += 1

    @aw.method
    def end(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


@pytest.fixture
def handler() -> Iterator[Callable[..., Any]]:
    """What a program does to be ended in order by SIGTERM."""

    def leave(*_: object) -> None:
        raise SystemExit(15)

    before = signal.signal(signal.SIGTERM, leave)
    yield leave
    signal.signal(signal.SIGTERM, before)


def ask(world: World, work: str) -> None:
    with world.session() as session, session.begin():
        thing = Thing()
        session.add(thing)
        aw.later(getattr(thing, work))


def test_ctrl_c_ends_the_program_and_the_job_s_transaction_is_rolled_back(world: World) -> None:
    ask(world, "be_interrupted")
    with pytest.raises(KeyboardInterrupt):
        world.run()

    assert the_only(world.engine, SysAsyncTicket).done is None
    assert the_only(world.engine, Thing).n == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_ends_the_program_also_if_the_job_keeps_it_to_itself(world: World) -> None:
    ask(world, "keep_it_to_itself")
    with pytest.raises(KeyboardInterrupt):
        world.run()

    assert the_only(world.engine, SysAsyncTicket).error is None
    assert the_only(world.engine, Thing).n == 1


def test_what_a_program_s_own_handler_raises_ends_it_too(world: World, handler: Callable[..., Any]) -> None:
    ask(world, "end")
    with pytest.raises(SystemExit):
        world.run()

    assert the_only(world.engine, SysAsyncTicket).done is None
    assert signal.getsignal(signal.SIGTERM) is handler
