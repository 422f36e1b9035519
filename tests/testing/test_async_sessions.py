"""Tests with an AsyncSession: the same, awaited, with each driver."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import afterwork as aw
from afterwork.derived.compute import backfill
from afterwork.errors import NotAwaited, NoTestDatabase
from afterwork.testing import Testing, rolled_back
from tests.support.prepared import begin_with
from tests.testing.depot import Depot, Parcel, app, open_depot, tables

DRIVERS = {"sqlite": ["aiosqlite"], "postgresql": ["asyncpg", "psycopg"]}

Story = Callable[[Testing, AsyncSession], Awaitable[None]]


@pytest.fixture(params=[0, 1], ids=["first", "second"])
def tell(request: pytest.FixtureRequest, engine: Engine) -> Callable[[Story], None]:
    """Run an asynchronous test with the first or the second driver for the database, and compare its rows."""
    kind = engine.dialect.name
    if request.param >= len(DRIVERS[kind]):
        pytest.skip("there is one driver only")
    begin_with(engine, open_depot)
    address = engine.url.set(drivername=f"{kind}+{DRIVERS[kind][request.param]}")

    def tell(story: Story) -> None:
        async def run() -> None:
            async_engine = create_async_engine(address)
            async with rolled_back(async_engine) as connection:
                with Testing(app, connection).lasting() as testing:
                    async with opened(connection) as session:
                        await story(testing, session)
            await async_engine.dispose()

        before = tables(engine)
        asyncio.run(run())
        assert tables(engine) == before

    return tell


@asynccontextmanager
async def opened(connection: object) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(
        connection,  # type: ignore[arg-type]
        join_transaction_mode="create_savepoint",
        expire_on_commit=False,
    ) as session:
        yield session


async def a_parcel(session: AsyncSession, weight: int) -> Parcel:
    parcel = Parcel(weight=weight, depot=Depot())
    session.add(parcel)
    await session.commit()
    return parcel


def test_jobs_of_all_kinds_run(tell: Callable[[Story], None]) -> None:
    async def story(testing: Testing, session: AsyncSession) -> None:
        parcel = await a_parcel(session, 7)
        depot = parcel.depot
        aw.later(parcel.move, after=timedelta(days=3))
        aw.later(parcel.ship)
        await session.commit()
        assert await testing.aio.asked(parcel.move, after=timedelta(days=3))

        await testing.aio.drain(check=True)
        await session.refresh(depot)
        await session.refresh(parcel)
        assert (parcel.moved, depot.fee, depot.count, depot.parcels_sent) == (10, 14, 1, 0)

        for weight in (8, 9, 7):
            parcel.weight = weight
            await session.commit()
            await testing.aio.drain(check=True)
            await session.refresh(depot)
            assert depot.fee == weight * 2
        assert await testing.aio.drain() == []

        testing.clock.advance(timedelta(days=3))
        await testing.aio.drain(check=True)
        await session.refresh(depot)
        await session.refresh(parcel)
        assert (parcel.moved, depot.parcels_sent) == (11, 1)

    tell(story)


def test_values_of_rows_that_were_there_before_are_filled_in_by_chunks(
    tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "CHUNK_SIZE", 3)

    async def story(testing: Testing, session: AsyncSession) -> None:
        depots = [Depot(parcels=[Parcel(weight=weight)]) for weight in range(1, 9)]
        session.add_all(depots)
        await session.commit()
        await testing.aio.drain(check=True)
        for statement in (
            "UPDATE depot SET weight = -1, fee = -1",
            "DELETE FROM afterwork_journal",
            "DELETE FROM afterwork_touch",
            "DELETE FROM afterwork_cache",
            "DELETE FROM afterwork_due",
            "UPDATE afterwork_derivation SET backfilled = false, backfill_position = NULL",  # as if they were new
        ):
            await session.execute(text(statement))
        await session.commit()
        await testing.aio.drain(check=True)
        for weight, depot in enumerate(depots, 1):
            await session.refresh(depot)
            assert (depot.weight, depot.fee) == (weight, weight * 2)

    tell(story)


def test_jobs_run_inline(tell: Callable[[Story], None]) -> None:
    async def story(testing: Testing, session: AsyncSession) -> None:
        with testing.inline():
            parcel = await a_parcel(session, 2)
            await session.refresh(parcel.depot)
            assert parcel.depot.fee == 4
            aw.later(parcel.drop)
            with pytest.raises(ValueError, match="it is broken"):
                await session.commit()

    tell(story)


def test_an_async_session_stands_for_its_connection(tell: Callable[[Story], None]) -> None:
    async def story(testing: Testing, session: AsyncSession) -> None:
        with Testing(testing.app, session).lasting() as other:
            parcel = await a_parcel(session, 2)
            aw.later(parcel.move)
            await session.commit()
            await other.aio.drain(check=True)
            await session.refresh(parcel)
            assert parcel.moved == 1

    tell(story)


def test_who_forgets_to_await_is_told_so(tell: Callable[[Story], None]) -> None:
    async def story(testing: Testing, session: AsyncSession) -> None:
        with pytest.raises(NotAwaited, match=r"await afterwork\.aio\.drain\(\)"):
            testing.drain()
        with pytest.raises(NotAwaited, match=r"await afterwork\.aio\.asked"):
            testing.asked()

    tell(story)


def test_a_connection_to_sqlite_that_has_not_begun_is_refused() -> None:
    async def run() -> None:
        engine = create_async_engine("sqlite+aiosqlite://")
        async with engine.connect() as connection:
            await connection.begin()
            with pytest.raises(NoTestDatabase, match="has begun no transaction"):
                Testing(app, connection)
        await engine.dispose()

    asyncio.run(run())


def test_there_is_nothing_to_await_with_an_ordinary_connection(engine: Engine) -> None:
    with rolled_back(engine) as connection:
        testing = Testing(app, connection)
        with pytest.raises(NoTestDatabase, match="is for an AsyncConnection"):
            asyncio.run(testing.aio.drain())
