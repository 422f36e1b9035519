"""A cache that is a view model and a user who want the same rows in another order: it is the server that gives way."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, ForeignKey, create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from tests.support.waiting import eventually
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Pair(Base):
    __tablename__ = "pair"
    id: Mapped[int] = mapped_column(primary_key=True)
    wanted: Mapped[int]
    boxes: Mapped[list["Box"]] = relationship(order_by="Box.id")


class Box(Base):
    __tablename__ = "box"
    id: Mapped[int] = mapped_column(primary_key=True)
    pair_id: Mapped[int] = mapped_column(ForeignKey("pair.id"))
    level: Mapped[int] = mapped_column(default=0)
    note: Mapped[int] = mapped_column(default=0)


class Leveling(aw.ViewModel[Pair]):
    """Both boxes get the level that is wanted, one after the other."""

    when = aw.WhenStale()

    @aw.action
    def level(self) -> None:
        for box in self.root.boxes:
            box.level = self.root.wanted
            aw.session(self.root).flush()


WAITS = text("SELECT count(*) FROM pg_locks WHERE pid = :pid AND NOT granted")


class User:
    """Has the second box, and wants the first one as soon as the server has that and wants the second."""

    def __init__(self, engine: Engine) -> None:
        self.connection = engine.connect()
        self.pid = self.connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
        self.error: BaseException | None = None
        self.connection.execute(text("UPDATE box SET note = 1 WHERE id = 2"))
        self.thread = threading.Thread(target=self._go_on)

    def _go_on(self) -> None:
        try:
            self.connection.execute(text("UPDATE box SET note = 1 WHERE id = 1"))
            self.connection.commit()
        except BaseException as error:
            self.error = error
        finally:
            self.connection.close()

    def wait_for_the_first_box(self, looking: Connection) -> None:
        self.thread.start()
        eventually(lambda: looking.execute(WAITS, {"pid": self.pid}).scalar() == 1)


def _before_update(engine: Engine, number: int, act: Callable[[], None]) -> None:
    """Have something done before so many updates of boxes have been sent by a server."""
    count = 0

    def look(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        nonlocal count
        if statement.startswith("UPDATE box"):
            count += 1
            if count == number:
                act()

    event.listen(engine, "before_cursor_execute", look)


def test_a_users_transaction_is_never_the_victim_of_a_deadlock(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("there is one writer at a time")
    world = World(engine, Base)
    with world.session() as session, session.begin():
        session.add(Pair(id=1, wanted=5, boxes=[Box(id=1), Box(id=2)]))
    server = create_engine(engine.url)
    user = User(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as looking:
        _before_update(server, 2, lambda: user.wait_for_the_first_box(looking))
        world.app.run_until_idle(server)
    user.thread.join()
    world.clock.advance(timedelta(seconds=2))
    world.app.run_until_idle(server)
    server.dispose()

    assert user.error is None
    assert [(box.level, box.note) for box in world.all(Box)] == [(5, 1), (5, 1)]
