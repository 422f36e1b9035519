"""Works that are an `async def`: they wait without a thread or a connection, and are runs like all others."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

import afterwork as aw
from afterwork.errors import NoCurrentRun
from tests.support.parcels_async import Base, Parcel, Send, SysAsyncTicket, ask, nothing
from tests.support.world import World, errors, everything, the_only


@pytest.fixture
def world(engine: Engine) -> World:
    Parcel.code = staticmethod(nothing)
    return World(engine, Base)


def test_its_effects_and_its_receipt_are_saved_at_the_end(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        await asyncio.sleep(0)

    assert ask(world, "ship", code=code) == [None]
    assert the_only(world.engine, Parcel).log == "begun, shipped"
    assert the_only(world.engine, SysAsyncTicket).done is not None


def test_while_it_waits_it_has_no_connection(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        await asyncio.sleep(0)
        aw.session(parcel).scalar(select(func.count()).select_from(Parcel))

    (error,) = ask(world, "ship", code=code)
    assert error is not None
    assert "await aw.read(lambda: …)" in error
    assert the_only(world.engine, Parcel).log == ""


def test_what_is_not_loaded_yet_asks_to_be_read(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        len(parcel.labels)

    (error,) = ask(world, "ship", code=code)
    assert error is not None
    assert error.startswith("NoConnectionInLoop: ")


def test_it_reads_by_an_awaitable(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        with world.engine.begin() as other:
            other.execute(text("INSERT INTO parcel (id, log) VALUES (99, 'in between')"))
        parcel.log += f", {len(await aw.read(lambda: parcel.labels))} labels"
        count = select(func.count()).select_from(Parcel)
        both = await asyncio.gather(
            aw.read(lambda: aw.session().scalar(count)), aw.read(lambda: aw.session(parcel).scalar(count))
        )
        parcel.log += f", {both}"

    assert ask(world, "ship", code=code) == [None]
    assert everything(world.engine, Parcel)[0].log == "begun, 2 labels, [2, 2], shipped"


def test_what_a_read_raises_is_raised_where_it_is_awaited(world: World) -> None:
    def reads() -> None:
        raise StopIteration("none left")

    async def code(parcel: Parcel) -> None:
        try:
            await aw.read(reads)
        except RuntimeError as error:
            parcel.log += f", {error.__cause__}"

    assert ask(world, "ship", code=code) == [None]
    assert the_only(world.engine, Parcel).log == "begun, none left, shipped"


def test_a_read_writes_nothing(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        await aw.read(lambda: aw.session(parcel).execute(text("UPDATE parcel SET log = 'never saved'")))

    (error,) = ask(world, "ship", code=code)
    assert error is not None
    assert the_only(world.engine, Parcel).log == ""


def test_what_asks_the_database_goes_by_aio_as_well(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        parcel.log += f", {await aw.aio.call(parcel, lambda: len(parcel.labels))}"
        await aw.aio.later(parcel.mark)

    ask(world, "ship", code=code)
    assert the_only(world.engine, Parcel).log == "begun, 2, shipped, marked"


def test_elsewhere_nothing_is_read_by_an_awaitable() -> None:
    with pytest.raises(NoCurrentRun, match="read directly"):
        asyncio.run(aw.read(lambda: None))


def test_it_asks_for_work_and_adds_objects(world: World) -> None:
    async def code(parcel: Parcel) -> None:
        aw.later(parcel.mark)
        aw.session().add(Parcel(log="another"))

    assert ask(world, "ship", code=code) == [None, None]
    assert [parcel.log for parcel in everything(world.engine, Parcel)] == ["begun, shipped, marked", "another"]


def test_its_tasks_know_the_run(world: World) -> None:
    known: list[Any] = []

    async def knows() -> None:
        run = aw.current_run()
        known.append((run.work, run.attempt, run.root_id))

    async def code(parcel: Parcel) -> None:
        await asyncio.gather(knows(), asyncio.create_task(knows()), asyncio.to_thread(lambda: asyncio.run(knows())))

    ask(world, "ship", code=code)
    assert known == [("Parcel.ship", 1, "Parcel!1")] * 3


def test_it_takes_arguments(world: World) -> None:
    with world.session() as session, session.begin():
        parcel = Parcel()
        session.add(parcel)
        aw.later(parcel.pay.given(12, note="twelve"))
    world.run()

    assert the_only(world.engine, Parcel).log == "12 twelve"


def test_its_precondition_is_checked(world: World) -> None:
    with world.session() as session, session.begin():
        parcel = Parcel(log="used")
        session.add(parcel)
        aw.later(parcel.once)
    world.run()

    (error,) = errors(world.engine, SysAsyncTicket)
    assert error is not None
    assert "precondition" in error


def test_actions_run_from_top_to_bottom_awaited_or_not(world: World) -> None:
    with world.session() as session, session.begin():
        parcel = Parcel()
        session.add(parcel)
        aw.later(Send(parcel))
    world.run()

    assert the_only(world.engine, Parcel).log == "packed, weighed, handed over"


def test_a_function_without_a_root_is_awaited(world: World) -> None:
    @world.app.job(external=True)
    async def found(log: str) -> None:
        await asyncio.sleep(0)
        aw.session().add(Parcel(log=log))

    with world.session() as session, session.begin():
        aw.later(found.given("found"), session=session)
    world.run()

    assert the_only(world.engine, Parcel).log == "found"
