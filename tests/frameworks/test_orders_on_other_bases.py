"""The examples with SQLModel and with MappedAsDataclass: the same orders, on bases of other kinds."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import Session
from sqlmodel import Session as SQLModelSession
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

import afterwork as aw
from examples.frameworks import dataclass_orders, sqlmodel_orders
from examples.frameworks.sqlmodel_orders import Order, OrderShown


@pytest.fixture(params=[sqlmodel_orders, dataclass_orders], ids=["sqlmodel", "dataclasses"])
def example(request: pytest.FixtureRequest, engine: Engine) -> Any:
    """The module of an example, installed."""
    request.param.Base.metadata.create_all(engine)
    request.param.work.install(engine)
    return request.param


def test_orders_are_confirmed_summed_up_and_moved(example: Any, engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        order = example.Order(customer="ann", lines=[example.Line(amount=20), example.Line(amount=5)])
        session.add(order)
        aw.later(order.confirm)
    example.work.run_until_idle(engine)

    with Session(engine) as session, session.begin():
        order = session.get_one(example.Order, 1)
        assert (order.confirmed, order.total, order.flow.state) == (True, 25, "cart")
        order.paid = 25
    example.work.run_until_idle(engine)

    with Session(engine) as session:
        order = session.get_one(example.Order, 1)
        assert order.flow.state == "paid"
        assert "Order.total of Order!1 is fresh." in str(example.work.explain(order, "total"))
        assert example.work.verify(engine).differences == []


def with_driver(engine: Engine) -> AsyncEngine:
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}[engine.dialect.name]
    return create_async_engine(make_url(engine.url.render_as_string(hide_password=False)).set(drivername=driver))


def test_the_sessions_of_sqlmodel_serve(engine: Engine) -> None:
    sqlmodel_orders.Base.metadata.create_all(engine)
    sqlmodel_orders.work.install(engine)

    async def ask() -> int:
        made = with_driver(engine)
        async with AsyncSession(made) as session:
            order = Order(customer="ann", lines=[sqlmodel_orders.Line(amount=20)])
            session.add(order)
            await session.flush()
            await aw.aio.later(order.confirm, unique=True)
            total: int = await aw.aio.fresh(order, "total")
            await session.commit()
        await made.dispose()
        return total

    assert asyncio.run(ask()) == 20
    sqlmodel_orders.work.run_until_idle(engine)
    with SQLModelSession(engine) as session:
        order = session.exec(select(Order)).one()
        assert order.confirmed
        assert OrderShown.model_validate(order, from_attributes=True) == OrderShown(customer="ann", total=20)
