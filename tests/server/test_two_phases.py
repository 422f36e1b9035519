"""Where transactions can be prepared, no server makes that fail."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.events import CantBeWoken, FellAsleep
from tests.support.own_postgres import OwnPostgres, own_postgres
from tests.support.waiting import eventually
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]
    twice: Mapped[int | None] = mapped_column()

    @aw.derived(twice)
    def compute_twice(self) -> int:
        return self.n * 2

    @aw.method
    def count(self) -> None:
        self.n += 1


@pytest.fixture(scope="module")
def preparing() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        admin = create_engine(server.create_database(), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("ALTER SYSTEM SET max_prepared_transactions = 8"))
        admin.dispose()
        server.stop("fast")
        server.start()
        yield server


@pytest.fixture
def engine(preparing: OwnPostgres) -> Iterator[Engine]:
    made = create_engine(preparing.create_database())
    yield made
    made.dispose()


def item_in(world: World) -> None:
    with world.session() as session, session.begin():
        session.add(Item(id=1, n=1))


def asleep(world: World) -> bool:
    return any(isinstance(event, FellAsleep) for event in world.seen)


def test_changes_and_tickets_are_committed_in_two_phases_while_a_server_sleeps(engine: Engine) -> None:
    world = World(engine, Base)
    item_in(world)
    world.app.run_until_idle(engine)
    with world.app.serving(engine):
        eventually(lambda: asleep(world))
        with Session(engine, twophase=True) as session:
            item = session.get_one(Item, 1)
            item.n = 5
            aw.later(item.count)
            session.commit()
        eventually(lambda: twice(world) == 12)
        eventually(lambda: [event.every for event in world.seen if isinstance(event, CantBeWoken)])

    assert len([event for event in world.seen if isinstance(event, CantBeWoken)]) == 1


def test_a_server_that_is_told_to_is_notified_all_the_same(engine: Engine) -> None:
    world = World(engine, Base, settings=aw.Settings(notify=True))
    item_in(world)
    world.app.run_until_idle(engine)
    with world.app.serving(engine):
        eventually(lambda: asleep(world))
        with engine.begin() as connection:
            connection.execute(text("UPDATE item SET n = 5"))
            with pytest.raises(DBAPIError, match="NOTIFY"):
                connection.execute(text("PREPARE TRANSACTION 'one'"))

    assert not any(isinstance(event, CantBeWoken) for event in world.seen)


def twice(world: World) -> int | None:
    with world.session() as session:
        return session.get_one(Item, 1).twice
