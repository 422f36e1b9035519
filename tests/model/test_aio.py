"""`aw.aio` answers from an AsyncSession of any driver, and who forgets to await is told what to write."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw
from afterwork.errors import BadRequest, NoSession, NotAwaited
from tests.support.prepared import installed


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Flow(StateChart[Any]):
    open = State(initial=True)
    closed = State(final=True)
    close = open.to(closed, cond="is_read")


class Meter(Base):
    __tablename__ = "meter"
    id: Mapped[int] = mapped_column(primary_key=True)
    cost: Mapped[int] = mapped_column(default=0)
    state: Mapped[str | None] = mapped_column()
    readings: Mapped[list["Reading"]] = relationship()
    flow = aw.machine(Flow, state=state)

    @aw.derived(cost)
    def compute_cost(self) -> int:
        return sum(reading.value for reading in self.readings) * 5

    @aw.method
    def bill(self) -> None: ...

    @aw.method(precondition=lambda self: self.state == "open")
    def bill_when_open(self) -> None: ...

    def is_read(self) -> bool:
        return len(self.readings) > 0


class Reading(Base):
    __tablename__ = "reading"
    id: Mapped[int] = mapped_column(primary_key=True)
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
    value: Mapped[int] = mapped_column(default=0)


app = aw.Afterwork(Base)

DRIVERS = {"sqlite": ["sqlite+aiosqlite"], "postgresql": ["postgresql+asyncpg", "postgresql+psycopg_async"]}


@pytest.fixture
def meters(engine: Engine) -> Engine:
    """A meter whose cost was right before its last reading."""
    installed(engine, Base)
    with Session(engine) as session, session.begin():
        session.add(Meter(readings=[Reading(value=1)]))
    app.run_until_idle(engine)
    with Session(engine) as session, session.begin():
        session.add(Reading(meter_id=1, value=3))
    return engine


def with_each_driver(engine: Engine, work: Callable[[AsyncSession, Meter], Awaitable[None]]) -> None:
    """Do some asynchronous work with the meter in a session that is rolled back, once by each driver."""

    async def main(driver: str) -> None:
        own = create_async_engine(engine.url.set(drivername=driver))
        try:
            async with AsyncSession(own) as session:
                await work(session, await session.get_one(Meter, 1))
        finally:
            await own.dispose()

    for driver in DRIVERS[engine.dialect.name]:
        asyncio.run(main(driver))
    gc.collect()  # what was called in vain is told of now, and not in a later test


def test_what_asks_the_database_is_awaited(meters: Engine) -> None:
    async def work(session: AsyncSession, meter: Meter) -> None:
        assert await aw.aio.is_stale(meter, "cost")
        assert await aw.aio.fresh(meter, "cost") == 20
        assert (await aw.aio.explain(app, meter, "cost")).name == "Meter.cost"
        assert await aw.aio.impact(app, meter, "state") == []
        first = await aw.aio.later(meter.bill, unique=True)
        await session.flush()
        assert await aw.aio.later(meter.bill, unique=True) is first
        assert await aw.aio.call(meter, aw.can, meter.flow.close)
        await aw.aio.call(meter, meter.flow.close)
        assert meter.state == "closed"

    with_each_driver(meters, work)


def test_what_was_called_before_is_no_function_to_call(meters: Engine) -> None:
    async def work(session: AsyncSession, meter: Meter) -> None:
        with pytest.raises(BadRequest, match=r"'closed' can't be called. Give the function without calling it"):
            await aw.aio.call(meter, "closed")  # type: ignore[arg-type]

    with_each_driver(meters, work)


FORGOTTEN: dict[str, Callable[[Meter], object]] = {
    "aw.fresh": lambda meter: aw.fresh(meter, "cost"),
    "aw.is_stale": lambda meter: aw.is_stale(meter, "cost"),
    "app.explain": lambda meter: app.explain(meter, "cost"),
    "app.impact": lambda meter: app.impact(meter, "cost"),
    "unique=True": lambda meter: aw.later(meter.bill, unique=True),
    "the event close": lambda meter: meter.flow.close(),
    "whether the event close can be taken": lambda meter: aw.can(meter.flow.close),
}


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what was called in vain, of SQLAlchemy
@pytest.mark.parametrize("call", FORGOTTEN)
def test_who_forgets_to_await_is_told_what_to_write(meters: Engine, call: str) -> None:
    async def work(session: AsyncSession, meter: Meter) -> None:
        with pytest.raises(NotAwaited, match=rf"{call}.* asks the database.*aw\.aio.* without \(\)"):
            FORGOTTEN[call](meter)

    with_each_driver(meters, work)


def test_an_object_that_has_expired_has_its_key_without_asking(meters: Engine) -> None:
    async def work(session: AsyncSession, meter: Meter) -> None:
        session.expire(meter)
        assert aw.external_id(meter) == "Meter!1"
        ticket = aw.later(meter.bill)
        await session.flush()
        assert ticket.root_id == "Meter!1"

    with_each_driver(meters, work)


EXPIRED: dict[str, Callable[[Meter], object]] = {
    "aw.can": lambda meter: aw.can(meter.bill_when_open),
    "the state": lambda meter: meter.flow.is_in("open"),
    "the event close": lambda meter: meter.flow.close(),
}


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("call", EXPIRED)
def test_who_asks_an_object_that_has_expired_is_told_what_to_write(meters: Engine, call: str) -> None:
    async def work(session: AsyncSession, meter: Meter) -> None:
        session.expire(meter)
        with pytest.raises(NotAwaited, match=rf"{call}.* asks the database.*aw\.aio"):
            EXPIRED[call](meter)

    with_each_driver(meters, work)


def test_objects_of_an_ordinary_session_are_served_as_well(meters: Engine) -> None:
    with Session(meters) as session:
        assert asyncio.run(aw.aio.fresh(session.get_one(Meter, 1), "cost")) == 20
    with pytest.raises(NoSession):
        asyncio.run(aw.aio.is_stale(Meter(), "cost"))
