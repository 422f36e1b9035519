"""An external run whose connection is cut while it does something else: its end is written on another connection."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import afterwork as aw
from tests.support.kinds import Base, SysAsyncTicket, Thing, nothing
from tests.support.world import World, errors, the_only

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    made = World(engine, Base)
    made.run()
    with made.session() as session, session.begin():
        thing = Thing(id=1, n=20)
        session.add(thing)
    made.run()
    yield made
    Thing.during = staticmethod(nothing)


class Cutter:
    """Cuts the connection of each external run, and does then what a test wants. Counts the runs."""

    def __init__(self, engine: Engine, *then: str) -> None:
        self._engine = engine
        self._then = then
        self.runs = 0

    def __call__(self, kind: str, session: Session) -> None:
        if kind.startswith("external"):
            self.runs += 1
            process = session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()
            with self._engine.begin() as other:
                other.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
                for statement in self._then:
                    other.execute(text(statement))


def test_what_it_changed_is_saved(world: World) -> None:
    cutter = Thing.during = Cutter(world.engine)
    call(world)
    assert (cutter.runs, the_only(world.engine, Thing).outside) == (1, 1)
    assert errors(world.engine, SysAsyncTicket) == [None]


def test_what_it_raised_is_its_error(world: World) -> None:
    class Failing(Cutter):
        def __call__(self, kind: str, session: Session) -> None:
            super().__call__(kind, session)
            raise ValueError("no answer")

    cutter = Thing.during = Failing(world.engine)
    call(world)
    assert (cutter.runs, the_only(world.engine, Thing).outside) == (1, 0)
    (error,) = errors(world.engine, SysAsyncTicket)
    assert error is not None
    assert error.startswith("ValueError: no answer")


def test_nothing_is_saved_if_another_server_has_taken_it_over(world: World) -> None:
    Thing.during = Cutter(world.engine, "UPDATE afterwork_lease SET epoch = epoch + 1, server = server + 1")
    call(world)
    assert the_only(world.engine, Thing).outside == 0
    assert world.all(SysAsyncTicket)[0].done is None


def call(world: World) -> None:
    with world.session() as session, session.begin():
        aw.later(session.get_one(Thing, 1).call)
    world.run()
