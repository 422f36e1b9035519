"""A job that closes the connection of its run is given up, and the rest of its lane goes on."""

from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.waiting import eventually
from tests.support.world import World, errors


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)

    @aw.method
    def lose(self) -> None:
        aw.session(self).connection().close()

    @aw.method
    def work(self) -> None:
        self.n += 1


def test_a_job_that_closes_its_connection_is_given_up(engine: Engine) -> None:

    world = World(engine, Base, settings=aw.Settings(crash_limit=2))
    with world.session() as session, session.begin():
        thing = Thing(id=1)
        session.add(thing)
        aw.later(thing.lose, priority=1)
        aw.later(thing.work)
    app = aw.Afterwork(Base, settings=world.settings)
    with app.serving(engine):
        eventually(lambda: world.all(Thing)[0].n == 1)
    assert [bool(error) for error in errors(engine, SysAsyncTicket)] == [True, False]
