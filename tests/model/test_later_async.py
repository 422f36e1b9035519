"""Asking for work from an AsyncSession, on aiosqlite and on psycopg's own asynchronous connections."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import URL, insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import BadRequest, UnsupportedDatabase
from afterwork.model.flow import AWAITING
from tests.conftest import Shop
from tests.support.garbage import collected
from tests.support.shop import Customer, SysAsyncTicket, numbers
from tests.support.world import everything


def ask_uniquely(customer: Customer, session: Session) -> None:
    aw.later(customer.send_mail, unique=True)


def run(url: URL, work: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    """Do some asynchronous work on a database."""

    async def main() -> None:
        engine = create_async_engine(
            url.set(drivername={"sqlite": "sqlite+aiosqlite"}.get(url.drivername, url.drivername))
        )
        try:
            await work(engine)
        finally:
            await engine.dispose()

    asyncio.run(main())


def test_tickets_are_asked_for_from_an_asynchronous_session(the_shop: Shop, url: URL) -> None:
    async def work(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session, session.begin():
            ann, bob = Customer(name="Ann"), Customer(name="Bob")
            session.add_all([ann, bob])
            aw.later(ann.assign_number, keep=timedelta(hours=1))
            session.add(SysAsyncTicket(view_model="Customer.assign_number", root_object=bob))
            await session.flush()
            await session.execute(
                insert(SysAsyncTicket).values([{"view_model": "Customer.send_mail", "root_id": "Customer!1"}])
            )

    run(url, work)

    assert len(the_shop.run()) == 3
    assert numbers(the_shop.engine) == [1, 2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what was called in vain, of SQLAlchemy
def test_a_unique_request_asks_the_database_so_it_is_run_in_the_session(the_shop: Shop, url: URL) -> None:
    async def work(engine: AsyncEngine) -> None:
        for _ in range(2):
            async with AsyncSession(engine) as session, session.begin():
                ann = await session.get(Customer, 1)
                if ann is None:
                    ann = Customer(name="Ann")
                    session.add(ann)
                    await session.flush()
                with pytest.raises(BadRequest, match=r"await session\.run_sync"):
                    aw.later(ann.send_mail, unique=True)
                await session.run_sync(partial(ask_uniquely, ann))

    with collected():  # here, and not in whatever test runs when Python comes to it
        run(url, work)

    assert len(everything(the_shop.engine, SysAsyncTicket)) == 1


def test_an_asynchronous_rollback_leaves_no_ticket(the_shop: Shop, url: URL) -> None:
    async def work(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session:
            ann = Customer(name="Ann")
            session.add(ann)
            aw.later(ann.assign_number)
            await session.flush()
            await session.rollback()

    run(url, work)

    assert everything(the_shop.engine, SysAsyncTicket) == []


def test_a_server_says_that_it_needs_an_engine_that_is_not_asynchronous(the_shop: Shop, url: URL) -> None:
    async def work(engine: AsyncEngine) -> None:
        with pytest.raises(UnsupportedDatabase, match="also where the application itself uses an AsyncEngine"):
            the_shop.app.run_until_idle(engine)  # type: ignore[arg-type]
        with pytest.raises(UnsupportedDatabase):
            the_shop.app.run_until_idle(engine.sync_engine) if engine.dialect.name == "sqlite" else the_shop.app.serve(
                engine  # type: ignore[arg-type]
            )

    run(url, work)


def test_flows_and_many_are_asked_for_from_an_asynchronous_session(the_shop: Shop, url: URL) -> None:
    async def work(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session, session.begin():
            ann, bob = Customer(name="Ann"), Customer(name="Bob")
            session.add_all([ann, bob])
            many = await aw.aio.later_many([ann.assign_number, bob.assign_number])
            first = aw.after([many], ann.send_mail)  # what is new in the session asks for nothing
            second = await aw.aio.after([first], bob.send_mail)
            await aw.aio.chain(bob.send_mail, ann.send_mail)
            await session.flush()
            assert [first.execute_earliest, second.execute_earliest] == [AWAITING] * 2
        async with AsyncSession(engine) as session, session.begin():
            loaded = await session.get_one(SysAsyncTicket, 1)
            await aw.aio.after([loaded], (await session.get_one(Customer, 1)).send_mail)

    run(url, work)

    assert len(the_shop.run()) == 7
    assert numbers(the_shop.engine) == [1, 2]
