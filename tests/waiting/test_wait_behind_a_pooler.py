"""Waiting behind PgBouncer: in session mode, who waits is woken; in transaction mode, there is polling."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import NotEndedYet, TicketFailed
from tests.support.packing import Base, Order, SysAsyncTicket
from tests.support.pooler import pooler
from tests.support.postgres import Server
from tests.support.world import World

LONG = timedelta(seconds=60)
"""Longer than anything here takes."""

UNPREPARED = {"prepare_threshold": None}

POLLING = aw.Settings(listen=False, standby_poll=timedelta(seconds=0.01))
WOKEN = aw.Settings(safety_poll=timedelta(hours=1), standby_poll=timedelta(hours=1))
MODES = {"transaction": POLLING, "session": WOKEN}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def through(postgres_server: Server, mode: str) -> Iterator[URL]:
    with postgres_server.fresh_database() as database, pooler(database, mode) as url:
        yield url


@pytest.fixture
def engine(through: URL) -> Iterator[Engine]:
    made = create_engine(through, connect_args=UNPREPARED)
    yield made
    made.dispose()


@pytest.fixture
def world(engine: Engine, mode: str) -> World:
    return World(engine, Base, settings=MODES[mode])


def asked(session: Session, *works: str) -> list[SysAsyncTicket]:
    order = Order()
    session.add(order)
    tickets: list[SysAsyncTicket] = [aw.later(getattr(order, work)) for work in works]
    session.commit()
    return tickets


def test_the_result_comes_back_from_a_server_behind_it(world: World) -> None:
    with Session(world.engine) as session:
        numbered, failed = asked(session, "assign_number", "fail")
        with world.app.serving(world.engine):
            assert aw.wait(numbered, of=Order.assign_number, timeout=LONG) == 10
            with pytest.raises(TicketFailed, match="nothing is left"):
                aw.wait(failed, timeout=LONG)


def test_more_wait_than_statements_are_prepared_for(world: World) -> None:
    async def results(tickets: list[SysAsyncTicket]) -> list[int | None]:
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(aw.wait_async(ticket, timeout=LONG)) for ticket in tickets]
        return [each.result() for each in waiting]

    with Session(world.engine) as session, world.app.serving(world.engine):
        for number in range(1, 13):
            assert asyncio.run(results(asked(session, "assign_number", "plain"))) == [number * 10, None]


def test_a_timeout_leaves_nothing_to_other_clients(world: World) -> None:
    with Session(world.engine) as session:
        (ticket,) = asked(session, "assign_number")
        with pytest.raises(NotEndedYet):
            aw.wait(ticket, timeout=timedelta(0))
    world.engine.dispose()  # which ends who waits, too
    with world.engine.connect() as first, world.engine.connect() as second:
        for connection in (first, second):
            assert connection.execute(text("SELECT count(*) FROM pg_listening_channels()")).scalar() == 0


def test_who_waits_by_an_async_engine_prepares_no_statements(world: World, through: URL) -> None:
    async def main() -> None:
        own = create_async_engine(through.set(drivername="postgresql+psycopg_async"), connect_args=UNPREPARED)
        try:
            async with AsyncSession(own, expire_on_commit=False) as session:
                for number in range(1, 13):
                    order = Order()
                    session.add(order)
                    ticket = aw.later(order.assign_number)
                    await session.commit()
                    assert await aw.wait_async(ticket, timeout=LONG) == number * 10
        finally:
            await own.dispose()

    with world.app.serving(world.engine):
        asyncio.run(main())
