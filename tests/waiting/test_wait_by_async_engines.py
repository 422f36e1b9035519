"""`aw.wait_async` where the application's own engine is an AsyncEngine."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import URL, Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

import afterwork as aw
from afterwork.errors import NotEndedYet, TicketFailed
from tests.support.packing import Base, Order, SysAsyncTicket
from tests.support.world import World

LONG = timedelta(seconds=60)
"""Longer than anything here takes."""

DRIVERS = [
    ("sqlite", "sqlite+aiosqlite"),
    ("postgresql", "postgresql+asyncpg"),
    ("postgresql", "postgresql+psycopg_async"),
]

pytestmark = pytest.mark.parametrize(("url", "driver"), DRIVERS, indirect=["url"])


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


@pytest.fixture
def async_url(engine: Engine, driver: str) -> URL:
    return engine.url.set(drivername=driver)


@asynccontextmanager
async def engine_of(url: URL) -> AsyncGenerator[AsyncEngine]:
    made = create_async_engine(url)
    try:
        yield made
    finally:
        await made.dispose()


async def asked(session: AsyncSession, work: str) -> SysAsyncTicket:
    order = Order()
    session.add(order)
    ticket: SysAsyncTicket = aw.later(getattr(order, work))
    await session.commit()
    return ticket


def test_a_ticket_of_an_async_session_is_waited_for(world: World, async_url: URL) -> None:
    async def main() -> None:
        async with engine_of(async_url) as own, AsyncSession(own, expire_on_commit=False) as session:
            ticket = await asked(session, "assign_number")
            async with world.app.serving_async(world.engine):
                assert await aw.wait_async(ticket, of=Order.assign_number, timeout=LONG) == 10

    asyncio.run(main())


def test_an_object_that_it_returns_is_loaded_by_the_async_session(world: World, async_url: URL) -> None:
    async def main() -> None:
        async with engine_of(async_url) as own, AsyncSession(own, expire_on_commit=False) as session:
            ticket = await asked(session, "copy")
            await asyncio.to_thread(world.run)
            made = await aw.wait_async(ticket, of=Order.copy, timeout=LONG)
            assert (made.id, made in session) == (2, True)

    asyncio.run(main())


def test_a_failure_is_raised_where_it_is_awaited(world: World, async_url: URL) -> None:
    async def main() -> None:
        async with engine_of(async_url) as own, AsyncSession(own, expire_on_commit=False) as session:
            ticket = await asked(session, "fail")
            await asyncio.to_thread(world.run)
            with pytest.raises(TicketFailed, match="nothing is left"):
                await aw.wait_async(ticket, timeout=LONG)

    asyncio.run(main())


def test_a_ticket_in_no_session_is_waited_for_by_an_async_engine(world: World, async_url: URL) -> None:
    async def main() -> None:
        async with engine_of(async_url) as own:
            async with AsyncSession(own, expire_on_commit=False) as session:
                ticket = await asked(session, "assign_number")
            with pytest.raises(NotEndedYet):
                await aw.wait_async(ticket, timeout=timedelta(0), engine=own)
            await asyncio.to_thread(world.run)
            assert await aw.wait_async(ticket, timeout=LONG, engine=own) == 10
            assert await asyncio.to_thread(aw.wait, ticket, timeout=LONG, engine=own) == 10

    asyncio.run(main())


def test_who_waits_by_an_async_engine_is_woken_by_the_end(world: World, async_url: URL) -> None:
    async def main() -> None:
        async with engine_of(async_url) as own, AsyncSession(own, expire_on_commit=False) as session:
            ticket = await asked(session, "assign_number")
            waiting = asyncio.create_task(aw.wait_async(ticket, timeout=LONG))
            await asyncio.sleep(0)
            await asyncio.to_thread(world.run)
            assert await waiting == 10

    asyncio.run(main())
