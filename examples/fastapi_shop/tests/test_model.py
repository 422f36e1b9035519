"""The model alone, with an AsyncSession: everything happens in one transaction, which is rolled back."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from afterwork.testing import Testing, rolled_back
from shop.flow import PATIENCE
from shop.model import Customer, Order, OrderLine, Payment

pytestmark = pytest.mark.anyio


@pytest.fixture
async def afterwork_bind(url: URL) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url)
    async with rolled_back(engine) as connection:
        yield connection
    await engine.dispose()


@pytest.fixture
async def session(afterwork_bind: AsyncConnection) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(afterwork_bind, join_transaction_mode="create_savepoint", expire_on_commit=False) as made:
        yield made


async def an_order(session: AsyncSession, price: int) -> Order:
    customer = Customer(name="Ann", email="ann@example.com")
    order = Order(customer=customer, lines=[OrderLine(product="a lamp", quantity=2, price=price)])
    session.add(order)
    await session.commit()
    return order


async def test_totals_follow_their_lines(afterwork: Testing, session: AsyncSession) -> None:
    order = await an_order(session, 100)
    await afterwork.aio.drain(check=True)
    order.lines[0].price = 300
    await session.commit()
    await afterwork.aio.drain(check=True)

    await session.refresh(order)
    assert order.total == 600


@pytest.mark.parametrize(("amount", "reminded"), [(200, False), (199, True)])
async def test_who_has_paid_all_is_not_reminded(
    afterwork: Testing, session: AsyncSession, amount: int, reminded: bool
) -> None:
    order = await an_order(session, 100)
    await afterwork.aio.drain(check=True)
    assert await afterwork.aio.asked(order.remind, after=PATIENCE)
    session.add(Payment(order_id=order.id, amount=amount))
    await session.commit()

    afterwork.clock.advance(PATIENCE + timedelta(minutes=1))
    ended = await afterwork.aio.drain(check=True)
    assert any(one.run.work.startswith("Order.remind") for one in ended) == reminded
