"""A connection that was lost in a transaction is known as lost, whatever is done on it later."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, func, select, text
from sqlalchemy.exc import PendingRollbackError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.store.dialects import database_of
from tests.support.going_clock import GoingClock
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("url", ["postgresql"], indirect=True)]


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


LOSES: list[Callable[[Session], None]] = []
"""What the next calculation does first."""


class Careless(Base):
    """Its calculation goes on as if nothing had been when its connection is lost."""

    __tablename__ = "careless"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=7)
    twice: Mapped[int | None] = mapped_column()

    @aw.derived(twice)
    def compute_twice(self) -> int:
        if LOSES:
            LOSES.pop()(aw.session(self))
        return 2 * self.n


def lose(connection: Connection) -> None:
    """End the connection, and swallow the error that says so."""
    with create_engine(connection.engine.url, poolclass=NullPool).connect() as other:
        process = connection.scalar(select(func.pg_backend_pid()))
        other.execute(text("SELECT pg_terminate_backend(:process, 10000)"), {"process": process})
    with suppress(SQLAlchemyError):
        connection.execute(text("SELECT 1"))


def test_what_is_done_after_the_loss_says_so_too(engine: Engine) -> None:
    database = database_of(engine, aw.Settings())
    with engine.connect() as connection:
        lose(connection)
        with pytest.raises(PendingRollbackError) as later:
            connection.execute(text("SELECT 1"))
        assert database.has_lost(connection, later.value)
        loss = database.loss(connection, later.value)
        assert database.is_lost(loss)
        assert loss.__cause__ is later.value


def test_an_error_on_a_connection_that_is_there_is_left_as_it_is(engine: Engine) -> None:
    database = database_of(engine, aw.Settings())
    with engine.connect() as connection:
        connection.begin()
        connection.get_transaction().rollback()  # type: ignore[union-attr]
        error = ValueError("of the job's own")
        assert database.loss(connection, error) is error


def test_values_become_right_after_a_calculation_that_has_swallowed_the_loss(engine: Engine) -> None:
    world = World(engine, Base, clock=GoingClock())
    LOSES[:] = [lambda session: lose(session.connection())]
    with world.session() as session, session.begin():
        session.add_all(Careless() for _ in range(5))
    with world.app.serving(engine):
        eventually(lambda: [each.twice for each in world.all(Careless)] == [14] * 5)
    assert LOSES == []
