"""Servers behind a pooler that gives a connection to each transaction, and keeps no session."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Engine, create_engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
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


def _all_done(world: World) -> bool:
    with world.session() as session:
        return all((one.weighed, one.sent) == (1, 1) for one in session.scalars(select(Parcel)))


def _settings(engine: Engine) -> list[dict[str, str]]:
    """The settings that clients find, on each connection that the pooler has to give."""
    with engine.connect() as first, engine.connect() as second, engine.connect() as third:
        return [
            {name: str(one.execute(text(f"SHOW {name}")).scalar()) for name in SETTINGS}
            for one in (first, second, third)
        ]
