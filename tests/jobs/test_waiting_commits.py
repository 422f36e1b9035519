"""SQLite without a log: a commit waits for readers, for `Settings.lock_limit` at most."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.store.dialects import database_of
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=1)
    worked: Mapped[int] = mapped_column(default=0)
    twice: Mapped[int | None] = mapped_column()

    @aw.derived(twice)
    def compute_twice(self) -> int:
        return 2 * self.n

    @aw.method
    def work(self) -> None:
        self.worked += 1


@pytest.fixture
def world(engine: Engine) -> World:
    made = World(engine, Base, settings=aw.Settings(lock_limit=timedelta(seconds=0.1)))
    with made.session() as session, session.begin():
        session.add(Thing())
    made.run()
    made.app.clock = aw.SystemClock()
    return made


@contextmanager
def transaction(engine: Engine) -> Iterator[None]:
    """A transaction of somebody else that has read, and stays open."""
    with closing(engine.connect().execution_options(isolation_level="AUTOCOMMIT")) as other:
        other.execute(text("BEGIN"))
        other.execute(text("SELECT * FROM thing")).all()
        yield
        other.execute(text("ROLLBACK"))


def without_log(engine: Engine) -> None:
    """Let a commit wait for everybody who reads, as on file systems that can't have a write-ahead log."""
    engine.dispose()  # nobody may have the file open
    with closing(engine.connect().execution_options(isolation_level="AUTOCOMMIT")) as connection:
        assert connection.execute(text("PRAGMA journal_mode = DELETE")).scalar() == "delete"


def ask(world: World) -> None:
    with world.session() as session, session.begin():
        thing = session.get_one(Thing, 1)
        aw.later(thing.work)
        thing.n += 1


def is_done_once(world: World) -> bool:
    (thing,) = world.all(Thing)
    assert thing.worked <= 1
    return bool(thing.worked == 1 and thing.twice == 2 * thing.n)


def test_a_commit_that_waits_for_readers_is_given_up_and_made_again(world: World, engine: Engine) -> None:
    without_log(engine)
    ask(world)
    with closing(database_of(engine, world.settings).connect()) as connection:
        database = database_of(engine, world.settings)
        with transaction(engine), pytest.raises(OperationalError, match="locked"), database.transaction(connection):
            connection.execute(text("UPDATE thing SET n = 100"))
        with database.transaction(connection):
            connection.execute(text("UPDATE thing SET n = n + 1"))
    with world.app.serving(engine):
        eventually(lambda: is_done_once(world))

    assert world.all(Thing)[0].n == 3
