"""Work that was left to a server which alone knew it is taken up by servers that sleep, once that one was killed."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import ServerCrashed
from afterwork.store.dialects import database_of
from afterwork.store.process import machine, process_start
from afterwork.store.routing import ALL
from afterwork.store.server_rows import said
from afterwork.store.tables import server
from tests.support.waiting import eventually
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    worked: Mapped[bool] = mapped_column(default=False)

    @aw.method
    def work(self) -> None:
        self.worked = True


NUMBER = 77


@contextmanager
def another_server(world: World) -> Iterator[None]:
    """A server that knows another work, until it is killed at the end of the block."""
    database = database_of(world.engine, world.settings)
    with closing(database.connect()) as connection, subprocess.Popen(["sleep", "1000"]) as process:
        row = {
            "id": NUMBER,
            "host": "here",
            "machine": machine(),
            "process": process.pid,
            "process_started": process_start(process.pid),
            "started": world.clock.now(),
            "seen": world.clock.now(),
            "beat": database.after(timedelta(0)),
            "locked": database.announce(connection, NUMBER),
            "announced": database.after(timedelta(0)),
            "stopping": False,
            **said(["Thing.unknown"], ALL),
        }
        try:
            connection.execute(insert(server).values(row))
            connection.commit()
            yield
        finally:
            process.kill()


def test_a_sleeping_server_takes_it_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afterwork.server.loop.LEFT_WORK_SECONDS", 0.5)
    settings = aw.Settings(standby_poll=timedelta(seconds=0.1), safety_poll=timedelta(hours=1))
    world = World(engine, Base, settings=settings)
    other = ExitStack()
    other.enter_context(another_server(world))
    with other, world.app.serving(engine):
        with world.session() as session, session.begin():
            thing = Thing()
            session.add(thing)
            session.flush()
            session.add(SysAsyncTicket(view_model="Thing.unknown", root_id="Thing!1"))
            aw.later(thing.work)
        eventually(lambda: world.all(Thing)[0].worked)  # so it has seen the other ticket
        assert world.all(SysAsyncTicket)[0].error is None
        other.close()
        eventually(lambda: world.all(SysAsyncTicket)[0].error is not None)
    assert [one.server for one in world.seen if isinstance(one, ServerCrashed)] == [NUMBER]
