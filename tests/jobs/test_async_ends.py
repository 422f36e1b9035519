"""The ends of async runs: whatever they raise, however long they take, they are settled like all others."""

import asyncio
import contextlib
from datetime import timedelta
from uuid import NAMESPACE_OID

import pytest
from sqlalchemy import Engine, text

import afterwork as aw
from afterwork.events import Event, Events, LoopBlocked, PutOff
from afterwork.server.async_runner import Reports
from tests.support.parcels_async import Base, Code, Parcel, Send, SysAsyncTicket, ask, nothing
from tests.support.waiting import eventually
from tests.support.world import World, errors, everything, the_only


@pytest.fixture
def world(engine: Engine) -> World:
    Parcel.code = staticmethod(nothing)
    return World(engine, Base)


def test_nothing_of_a_run_that_raises_is_saved_and_it_is_tried_again(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        await asyncio.sleep(0)
        raise ConnectionError("no answer")

    assert ask(world, "call", code=code) == [None]
    assert [event.seconds for event in world.seen if isinstance(event, PutOff)] == [60]
    world.clock.advance(timedelta(minutes=1))
    world.run()

    (error,) = errors(world.engine, SysAsyncTicket)
    assert error is not None
    assert error.startswith("ConnectionError: no answer")
    assert the_only(world.engine, Parcel).log == ""


def test_a_view_model_is_told_what_was_raised(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        raise ConnectionError("no answer")

    Parcel.code = staticmethod(code)
    with world.session() as session, session.begin():
        parcel = Parcel()
        session.add(parcel)
        aw.later(Send(parcel))
    world.run()

    assert the_only(world.engine, Parcel).log == "failed: ConnectionError"


@pytest.mark.parametrize(
    "raised", [asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration]
)
def test_whatever_it_raises_only_its_run_fails(world: World, raised: type[BaseException]) -> None:
    async def code(parcel: Parcel) -> None:
        await asyncio.sleep(0)
        if parcel.id == 1:
            raise raised

    first, second = ask(world, "ship", "ship", code=code)
    assert first is not None
    assert raised.__name__ in first
    assert second is None
    assert [parcel.log for parcel in everything(world.engine, Parcel)] == ["", "begun, shipped"]


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt])
def test_what_a_task_of_its_own_raises_fails_only_its_run(world: World, raised: type[BaseException]) -> None:
    async def ends() -> None:
        raise raised

    async def code(parcel: Parcel) -> None:
        if parcel.id == 1:
            await asyncio.create_task(ends())

    first, second = ask(world, "ship", "ship", code=code)
    assert first is not None
    assert first.startswith(raised.__name__)
    assert second is None


def test_it_chooses_another_attempt_or_the_end(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        await asyncio.sleep(0)
        if aw.current_run().is_first_attempt:
            aw.retry_in(timedelta(minutes=5))
        aw.give_up("nobody is there")

    assert ask(world, "ship", code=code) == [None]
    world.clock.advance(timedelta(minutes=5))
    world.run()
    assert errors(world.engine, SysAsyncTicket) == ["nobody is there"]


def test_a_step_is_awaited_and_not_repeated(world: World) -> None:
    made: list[str] = []

    async def charge(amount: int) -> str:
        await asyncio.sleep(0)
        made.append("charged")
        return f"receipt of {amount}"

    async def code(parcel: Parcel) -> None:
        parcel.log = await aw.step("charge", charge, 12)
        if aw.current_run().is_first_attempt:
            aw.retry_in(timedelta(0))

    assert ask(world, "ship", code=code) == [None]
    assert made == ["charged"]
    assert the_only(world.engine, Parcel).log == "receipt of 12, shipped"


def test_a_step_that_would_block_the_loop_is_refused(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        aw.step("charge", len, "")

    (error,) = ask(world, "ship", code=code)
    assert error is not None
    assert "asyncio.to_thread" in error


def test_a_step_of_a_thread_is_awaited(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        parcel.log += f" {await aw.step('charge', asyncio.to_thread, len, 'four')}"

    assert ask(world, "ship", code=code) == [None]
    assert the_only(world.engine, Parcel).log == "begun 4, shipped"


async def sleeps(parcel: Parcel) -> None:
    await asyncio.sleep(100)


async def swallows_once(parcel: Parcel) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(100)


async def reads_long(parcel: Parcel) -> None:
    endless = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "postgresql": "SELECT pg_sleep(100)",
    }
    await aw.read(lambda: aw.session(parcel).execute(text(endless[aw.session(parcel).get_bind().dialect.name])))


@pytest.mark.parametrize("code", [sleeps, swallows_once, reads_long])
def test_it_is_cancelled_when_its_time_is_over(world: World, code: Code) -> None:
    (error,) = ask(world, "hurry", code=code)
    assert error is not None
    assert error.startswith("TimedOut: It ran for longer than its timeout of 0.05 s")
    assert the_only(world.engine, Parcel).log == ""
    assert ask(world, "ship")[-1] is None  # the connection and the loop serve the next


def test_one_that_blocks_the_loop_is_told_with_its_name(world: World) -> None:
    def is_told() -> bool:
        return any(isinstance(event, LoopBlocked) for event in world.seen)

    async def code(parcel: Parcel) -> None:
        async def blocks() -> None:
            eventually(is_told)

        await asyncio.create_task(blocks())

    assert ask(world, "ship", code=code) == [None]
    assert [(event.work, event.root_id) for event in world.seen if isinstance(event, LoopBlocked)] == [
        ("Parcel.ship", "Parcel!1")
    ]


def test_each_work_that_blocks_the_loop_is_told_once() -> None:
    told: list[Event] = []
    reports = Reports(Events([told.append]))
    for work in ("Parcel.ship", "Parcel.ship", "Parcel.call"):
        reports.is_blocked(aw.Run((NAMESPACE_OID, "1"), work, None, "main", 1), 1.0)
    reports.is_blocked(None, 1.0)

    eventually(lambda: len(told) == 3)
    assert [event.work for event in told if isinstance(event, LoopBlocked)] == ["Parcel.ship", "Parcel.call", ""]
