"""Letters whose lanes have limits and rates, and an office that sees how many are sent at a time."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.model.lane import Rate
from afterwork.store import lane_limits
from afterwork.store.database import Database
from afterwork.store.dialects import database_of
from tests.support.world import World

MAIL = aw.Lane("mail", limit=3)

SMS = aw.Lane("sms", rate=2, per=timedelta(minutes=1))

BOTH = aw.Lane("both", limit=2, rate=3, per=timedelta(minutes=1))

MINUTE = timedelta(minutes=1)


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Letter(Base):
    """Counts how many of it go on at the same time; each waits until a test lets it go on."""

    __tablename__ = "letter"
    id: Mapped[int] = mapped_column(primary_key=True)
    sent: Mapped[bool] = mapped_column(default=False)

    @aw.method(lane=MAIL, external=True)
    def mail(self) -> None:
        OFFICE.visit()
        self.sent = True

    @aw.method(lane=MAIL)
    def mail_inside(self) -> None:
        OFFICE.visit()
        self.sent = True

    @aw.method(lane=SMS, external=True)
    def sms(self) -> None:
        self.sent = True

    @aw.method(lane=SMS)
    def sms_inside(self) -> None:
        self.sent = True

    @aw.method(lane=SMS)
    def fail(self) -> None:
        TRIES.append(self.id)
        raise ValueError("not today")

    @aw.method(lane=BOTH, external=True)
    def both(self) -> None:
        OFFICE.visit()
        self.sent = True


TRIES: list[int] = []


class Office:
    """Where letters are sent; how many are there, and how many at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = self.visits = 0
        self.gate = threading.Event()

    def visit(self) -> None:
        with self._lock:
            self.now += 1
            self.visits += 1
            self.most = max(self.most, self.now)
        self.gate.wait(20)
        with self._lock:
            self.now -= 1


OFFICE = Office()


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    made = Office()
    monkeypatch.setitem(globals(), "OFFICE", made)
    TRIES.clear()
    yield made
    made.gate.set()


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base, settings=aw.Settings(workers=8, standby_poll=timedelta(milliseconds=50)))


def ask(world: World, work: str, count: int = 1, **asked: Any) -> None:
    with world.session() as session, session.begin():
        for _ in range(count):
            letter = Letter()
            session.add(letter)
            aw.later(getattr(letter, work), **asked)


def sent(world: World) -> int:
    return sum(letter.sent for letter in world.all(Letter))


@pytest.fixture
def connection(world: World) -> Iterator[Connection]:
    with closing(database_of(world.engine, world.settings).connect()) as made:
        yield made


def declared(world: World, connection: Connection, limit: int | None, rate: Rate | None = None) -> Database:
    """As if a server were started whose code declares this for the lane; None for a lane without rules."""
    database = database_of(world.engine, world.settings)
    per = None if rate is None else rate.per
    lane = None if limit is None else aw.Lane("x", limit=limit, rate=None if rate is None else rate.max_starts, per=per)
    lane_limits.LaneLimits({} if lane is None else {"x": lane}, ["x"]).declare(database, connection)
    return database
