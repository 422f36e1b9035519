"""Lanes that nobody uses are forgotten, and nobody misses them."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.clock import SystemClock
from afterwork.store.leases import ensure_lanes
from afterwork.store.tables import lane as lanes
from tests.support.waiting import eventually
from tests.support.world import World, statements


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)

    @aw.method
    def work(self) -> None:
        self.n += 1


@pytest.fixture
def world(engine: Engine) -> World:
    made = World(engine, Base)
    with made.session() as session, session.begin():
        session.add(Thing())
    return made


def ask(world: World, *names: str, after: timedelta | None = None) -> None:
    with world.session() as session, session.begin():
        thing = session.get_one(Thing, 1)
        for name in names:
            aw.later(thing.work, lane=name, after=after)


def known(world: World) -> set[str]:
    with world.engine.connect() as connection:
        return set(connection.execute(select(lanes.c.name)).scalars()) - {"main", "parallel"}


def note(world: World, name: str, **values: object) -> None:
    with world.engine.begin() as connection:
        connection.execute(lanes.insert().values(name=name))
        connection.execute(update(lanes).where(lanes.c.name == name).values(**{"paused": False, **values}))


def test_a_lane_that_nobody_uses_is_forgotten(world: World) -> None:
    ask(world, *(f"lane {number}" for number in range(20)))
    assert len(world.run()) == 20
    assert known(world) == set()


def test_a_lane_is_kept_while_something_waits_in_it_or_it_has_something_to_say(world: World) -> None:
    note(world, "paused", paused=True)
    note(world, "leased", lease="a run")
    ask(world, "later", after=timedelta(days=1))
    note(world, "later")
    note(world, "nobody")
    world.run()

    assert known(world) == {"paused", "leased", "later"}


def test_a_lane_that_a_transaction_holds_is_kept(world: World) -> None:
    if world.engine.dialect.name == "sqlite":
        pytest.skip("there is one lock for all")
    note(world, "held")
    with world.engine.connect() as other:
        other.execute(select(lanes).where(lanes.c.name == "held").with_for_update())
        world.run()
        assert known(world) == {"held"}


def test_a_server_makes_a_lane_again_that_another_one_has_forgotten(engine: Engine) -> None:
    """It doesn't take the lane for busy, which would have it wait for ever."""
    world = World(engine, Base, clock=SystemClock())  # type: ignore[arg-type]
    with world.session() as session, session.begin():
        session.add(Thing())

    def count() -> int:
        with world.engine.connect() as connection:
            return int(connection.execute(text("SELECT n FROM thing")).scalar_one())

    with world.app.serving(engine):
        for number in (1, 2):
            ask(world, "often")
            eventually(lambda number=number: count() == number)  # type: ignore[misc]
            with world.engine.begin() as connection:
                connection.execute(lanes.delete().where(lanes.c.name == "often"))


def test_many_new_lanes_are_noted_at_once(world: World) -> None:
    with statements(world.engine) as sent, world.engine.connect() as connection:
        assert ensure_lanes(connection, [f"lane {number}" for number in range(900)])
        assert not ensure_lanes(connection, [f"lane {number}" for number in range(900)])
    assert len(sent) == 3
