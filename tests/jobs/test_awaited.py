"""Works that are an `async def`: they wait without a thread or a connection, and are runs like all others."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar
from uuid import NAMESPACE_OID

import pytest
from sqlalchemy import Engine, ForeignKey, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from afterwork.errors import NoCurrentRun
from afterwork.events import Event, Events, LoopBlocked, PutOff
from afterwork.server.awaits import Reports
from tests.support.waiting import eventually
from tests.support.world import World, errors, everything, the_only

Code = Callable[["Parcel"], Awaitable[object]]


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


async def nothing(parcel: "Parcel") -> None:
    pass


class Parcel(Base):
    """Does what a test puts into `code`."""

    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    log: Mapped[str] = mapped_column(default="")
    labels: Mapped[list["Label"]] = relationship()

    code: ClassVar[Code] = staticmethod(nothing)

    @aw.method(external=True)
    async def ship(self) -> None:
        self.log += "begun"
        await Parcel.code(self)
        self.log += ", shipped"

    @aw.method(external=True, lane=None, retry=aw.Retry(attempts=2, backoff=timedelta(minutes=1)))
    async def call(self) -> None:
        self.log += "never saved"
        await Parcel.code(self)

    @aw.method(external=True, timeout=timedelta(milliseconds=50))
    async def hurry(self) -> None:
        self.log += "never saved"
        await Parcel.code(self)

    @aw.method(external=True)
    async def pay(self, amount: int, note: str = "none") -> None:
        await asyncio.sleep(0)
        self.log = f"{amount} {note}"

    @aw.method(external=True, precondition=lambda self: self.log == "")
    async def once(self) -> None:
        self.log = "once"

    @aw.method
    def mark(self) -> None:
        self.log += ", marked"


class Label(Base):
    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcel.id"))


class Send(aw.ViewModel[Parcel]):
    external = True

    @aw.action
    async def pack(self) -> None:
        await asyncio.sleep(0)
        self.root.log += "packed"

    @aw.action(enabled=lambda self: self.root.log == "packed")
    def weigh(self) -> None:
        self.root.log += ", weighed"

    @aw.action
    async def hand_over(self) -> None:
        await Parcel.code(self.root)
        self.root.log += ", handed over"

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        self.root.log = f"failed: {type(error).__name__}"


@pytest.fixture
def world(engine: Engine) -> World:
    Parcel.code = staticmethod(nothing)
    return World(engine, Base)


def ask(world: World, *names: str, code: Code = nothing) -> list[str | None]:
    """Run these works, each on a parcel of its own. Returns the errors of the tickets."""
    Parcel.code = staticmethod(code)
    with world.session() as session, session.begin():
        for name in names:
            parcel = Parcel(labels=[Label(), Label()])
            session.add(parcel)
            aw.later(getattr(parcel, name))
    world.run()
    return errors(world.engine, SysAsyncTicket)


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
