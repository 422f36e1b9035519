"""Servers behind a pooler: one that gives a connection to each transaction, and keeps no session; and one that does."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import URL, Engine, create_engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import ConnectionLost, DatabaseLost
from afterwork.store.dialects import database_of
from tests.support.pooler import pooler
from tests.support.postgres import Server
from tests.support.waiting import eventually
from tests.support.world import World, errors

UNPREPARED = {"prepare_threshold": None}

SETTINGS = (
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "synchronous_commit",
    "default_transaction_read_only",
)


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    weighed: Mapped[int] = mapped_column(default=0)
    sent: Mapped[int] = mapped_column(default=0)

    @aw.method
    def weigh(self) -> None:
        self.weighed += 1

    @aw.method(external=True)
    def send(self) -> None:
        aw.progress(1, 2)
        self.sent += 1


@pytest.fixture
def url(postgres_server: Server) -> Iterator[URL]:
    with postgres_server.fresh_database() as found, pooler(found) as through:
        yield through


@pytest.fixture
def engine(url: URL) -> Iterator[Engine]:
    made = create_engine(url, connect_args=UNPREPARED)
    yield made
    made.dispose()


def test_a_server_works_behind_a_pooler_and_leaves_no_settings_to_other_clients(engine: Engine) -> None:
    world = World(engine, Base, settings=aw.Settings(listen=False))
    with world.session() as session, session.begin():
        parcels = [Parcel(id=n) for n in range(1, 9)]
        session.add_all(parcels)
    before = _settings(engine)

    with world.app.serving(engine):
        for parcel in parcels:
            with world.session() as session, session.begin():
                found = session.get_one(Parcel, parcel.id)
                aw.later(found.weigh)
                aw.later(found.send)
        eventually(lambda: _all_done(world))

    assert errors(engine, SysAsyncTicket) == [None] * 16
    assert _settings(engine) == before


@pytest.fixture
def by_session(postgres_server: Server) -> Iterator[Engine]:
    """A pool in session mode, of a role whose limits no server would live with."""
    with postgres_server.fresh_database() as database, pooler(database, "session") as through:
        direct = create_engine(database, isolation_level="AUTOCOMMIT")
        with direct.connect() as connection:
            for limit in ("statement_timeout = '5s'", "lock_timeout = '1ms'", "idle_session_timeout = '1s'"):
                connection.exec_driver_sql(f'ALTER DATABASE "{database.database}" SET {limit}')
        direct.dispose()
        made = create_engine(through)
        yield made
        made.dispose()


def test_a_server_behind_a_pool_in_session_mode_has_its_own_settings_and_is_woken(by_session: Engine) -> None:
    never = timedelta(hours=1)
    world = World(by_session, Base, settings=aw.Settings(safety_poll=never, standby_poll=never))
    with world.session() as session, session.begin():
        parcels = [Parcel(id=n) for n in range(1, 4)]
        session.add_all(parcels)

    with world.app.serving(by_session):
        for parcel in parcels:
            with world.session() as session, session.begin():
                found = session.get_one(Parcel, parcel.id)
                aw.later(found.weigh)
                aw.later(found.send)
            eventually(partial(_is_done, world, parcel.id))

    assert errors(by_session, SysAsyncTicket) == [None] * 6
    with closing(database_of(by_session, world.settings).connect()) as own:
        limits = [own.execute(text(f"SHOW {name}")).scalar() for name in ("statement_timeout", "idle_session_timeout")]
    assert limits == ["0", "0"]
    assert not any(isinstance(event, DatabaseLost | ConnectionLost) for event in world.seen)


def _is_done(world: World, number: int) -> bool:
    with world.session() as session:
        one = session.get_one(Parcel, number)
        return (one.weighed, one.sent) == (1, 1)


def _all_done(world: World) -> bool:
    with world.session() as session:
        return all((one.weighed, one.sent) == (1, 1) for one in session.scalars(select(Parcel)))


def _settings(engine: Engine) -> list[dict[str, str]]:
    """The settings that clients find, on each connection that the pooler has to give."""
    with engine.connect() as first, engine.connect() as second, engine.connect() as third:
        return [
            {name: str(connection.execute(text(f"SHOW {name}")).scalar()) for name in SETTINGS}
            for connection in (first, second, third)
        ]
