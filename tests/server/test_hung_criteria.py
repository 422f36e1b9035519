"""A timer whose criteria hang keeps no other timer from firing."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Select, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import Fired
from tests.support.waiting import eventually
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)


GATE = threading.Event()
WAITING: list[None] = []


def hangs() -> Select[Any]:
    WAITING.append(None)
    GATE.wait()
    return select(Thing)


class AFirst(aw.ViewModel, root=Thing):
    when = aw.Every(seconds=0.05, criteria=hangs)

    @aw.action
    def do(self) -> None: ...


class Ticks(aw.ViewModel, root=Thing):
    when = aw.Every(seconds=0.05, criteria=select(Thing))

    @aw.action
    def tick(self) -> None: ...


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    GATE.clear()
    WAITING.clear()
    settings = aw.Settings(held_limit=timedelta(seconds=0.1), standby_poll=timedelta(seconds=0.05))
    made = World(engine, Base, settings=settings)
    made.app.clock = aw.SystemClock()
    yield made
    GATE.set()


def test_other_timers_fire(world: World) -> None:
    with world.app.serving(world.engine):
        eventually(lambda: WAITING)
        eventually(lambda: len([one for one in world.seen if isinstance(one, Fired)]) >= 5)
        assert len(WAITING) == 1
        GATE.set()
