"""Async runs of a server: many share its event loop, each with its lease, and none keeps the others from going on."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import NotInstalled
from afterwork.events import Abandoned, Event, LoopBlocked, Lost, ServerStopped
from afterwork.store.tables import lease as leases
from afterwork.store.tables import progress as reports
from tests.support.prepared import begin_with
from tests.support.waiting import eventually
from tests.support.world import errors, everything

Code = Callable[["Call"], Awaitable[object]]


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Call(Base):
    """Does what a test puts into `code`."""

    __tablename__ = "call"
    id: Mapped[int] = mapped_column(primary_key=True)
    log: Mapped[str] = mapped_column(default="")

    code: ClassVar[Code]

    @aw.method(external=True, lane=None)
    async def dial(self) -> None:
        await Call.code(self)
        self.log += "dialled"

    @aw.method(external=True)
    async def queue(self) -> None:
        await Call.code(self)
        self.log += "queued"

    @aw.method(external=True, lane=aw.Lane("lines", limit=3))
    async def share(self) -> None:
        await Call.code(self)
        self.log += "shared"

    @aw.method(external=True, lane="short", timeout=timedelta(milliseconds=50))
    async def hurry(self) -> None:
        await Call.code(self)
        self.log += "late"

    @aw.method
    def note(self) -> None:
        self.log += "noted"

    @aw.method(lane="short")
    def follow(self) -> None:
        self.log += "followed"


class Gate:
    """Holds runs until it is opened, and counts those that wait at once. Used in the loop alone."""

    def __init__(self) -> None:
        self.waiting = self.most = 0
        self.is_open = threading.Event()

    async def __call__(self, call: Call) -> None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            while not self.is_open.is_set():
                await asyncio.sleep(0.01)
        finally:
            self.waiting -= 1


class Place:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seen: list[Event] = []
        self.gate = Gate()
        Call.code = staticmethod(self.gate)
        begin_with(engine, build)

    def app(self, **settings: Any) -> aw.Afterwork:
        return aw.Afterwork(Base, on_event=self.seen.append, settings=aw.Settings(**settings))

    def serving(self, **settings: Any) -> contextlib.AbstractContextManager[None]:
        return self.app(**settings).serving(self.engine)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]

    def ask(self, *names: str) -> None:
        with Session(self.engine) as session, session.begin():
            for name in names:
                call = Call()
                session.add(call)
                aw.later(getattr(call, name))

    def pending(self) -> int:
        with Session(self.engine) as session:
            return session.scalars(select(func.count()).where(SysAsyncTicket.done.is_(None))).one()

    def leased(self) -> int:
        with self.engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(leases)).scalar_one()

    def progress(self) -> list[tuple[str, int, int]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(select(reports.c.ticket, reports.c.done, reports.c.total))]

    def logs(self) -> list[str]:
        return [call.log for call in everything(self.engine, Call)]

    def errors(self) -> list[str | None]:
        return errors(self.engine, SysAsyncTicket)


def build(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    aw.Afterwork(Base).install(engine)


@pytest.fixture
def place(engine: Engine) -> Iterator[Place]:
    made = Place(engine)
    yield made
    made.gate.is_open.set()


def test_many_runs_wait_at_once_and_none_has_a_thread(place: Place) -> None:
    place.ask(*["dial"] * 50)
    others = set(threading.enumerate())
    with place.serving(workers=2):
        eventually(lambda: place.gate.waiting == 50)
        assert len(set(threading.enumerate()) - others) < 20
        assert place.leased() == 50
        place.gate.is_open.set()
        eventually(lambda: place.pending() == 0)

    assert place.logs() == ["dialled"] * 50
    assert place.leased() == 0


def test_no_more_go_on_at_once_than_the_settings_say(place: Place) -> None:
    place.ask(*["dial"] * 10)
    with place.serving(async_runs=3):
        eventually(lambda: place.gate.waiting == 3)
        place.ask("note")
        eventually(lambda: place.logs()[-1] == "noted")
        assert place.leased() == 3
        place.gate.is_open.set()
        eventually(lambda: place.pending() == 0)

    assert place.gate.most == 3


@pytest.mark.parametrize(("name", "most"), [("queue", 1), ("share", 3)])
def test_a_lane_has_as_many_as_its_limit_allows(place: Place, name: str, most: int) -> None:
    place.ask(*[name] * 8, "dial")
    with place.serving():
        eventually(lambda: place.gate.waiting == most + 1)
        assert place.leased() == most + 1
        place.gate.is_open.set()
        eventually(lambda: place.pending() == 0)

    assert place.gate.most == most + 1


def test_two_servers_share_them(place: Place) -> None:
    place.ask(*["dial"] * 6, *["queue"] * 2)
    with place.serving(async_runs=4, standby_poll=timedelta(seconds=0.1)), place.serving(async_runs=4):
        eventually(lambda: place.leased() == 7)
        place.gate.is_open.set()
        eventually(lambda: place.pending() == 0)

    assert place.errors() == [None] * 8
    assert place.logs() == ["dialled"] * 6 + ["queued"] * 2


def test_a_blocked_loop_keeps_no_other_lane_waiting(place: Place) -> None:
    async def code(call: Call) -> None:
        place.gate.is_open.wait()

    Call.code = staticmethod(code)
    place.ask("dial")
    with place.serving():
        eventually(lambda: place.of(LoopBlocked))
        place.ask("note")
        eventually(lambda: place.logs() == ["", "noted"])
        place.gate.is_open.set()
        eventually(lambda: place.pending() == 0)

    assert [(event.work, event.root_id) for event in place.of(LoopBlocked)] == [("Call.dial", "Call!1")]


def test_one_that_goes_on_after_its_time_out_is_abandoned_and_its_late_effects_count_for_nothing(place: Place) -> None:
    async def code(call: Call) -> None:
        while not place.gate.is_open.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    Call.code = staticmethod(code)
    place.ask("hurry")
    with place.serving(abandon_after=timedelta(seconds=0.1)):
        eventually(lambda: place.of(Abandoned))
        eventually(lambda: place.pending() == 0)
        place.ask("follow")  # the lane is free
        eventually(lambda: place.logs() == ["", "followed"])
        place.gate.is_open.set()
        eventually(lambda: place.of(Lost))

    first, second = place.errors()
    assert first is not None
    assert first.startswith("TimedOut: ")
    assert second is None
    assert place.logs() == ["", "followed"]


def test_one_that_blocks_the_loop_is_abandoned_and_another_loop_takes_its_place(place: Place) -> None:
    async def code(call: Call) -> None:
        if call.id == 1:
            place.gate.is_open.wait()

    Call.code = staticmethod(code)
    place.ask("hurry")
    with place.serving(abandon_after=timedelta(seconds=0.1), held_limit=timedelta(seconds=1)):
        eventually(lambda: place.pending() == 0)
        place.ask("dial")
        eventually(lambda: place.logs() == ["", "dialled"])
        place.gate.is_open.set()

    assert place.logs() == ["", "dialled"]


def test_one_that_reads_forever_is_abandoned_and_others_read(place: Place) -> None:
    async def code(call: Call) -> None:
        await aw.read(lambda: place.gate.is_open.wait() if call.id <= 2 else None)

    Call.code = staticmethod(code)
    place.ask("hurry", "hurry")
    with place.serving(abandon_after=timedelta(seconds=0.1), workers=1):
        eventually(lambda: place.pending() == 0)
        place.ask("dial")
        eventually(lambda: place.logs() == ["", "", "dialled"])
        place.gate.is_open.set()


def test_one_that_was_asked_to_stop_is_cancelled_where_it_waits(place: Place) -> None:
    place.ask("dial")
    with place.serving():
        eventually(lambda: place.gate.waiting)
        place.app().control(place.engine).cancel_tickets(["1"], "ann")
        eventually(lambda: place.pending() == 0)

    (error,) = place.errors()
    assert error is not None
    assert error.startswith("cancelled")
    assert place.logs() == [""]


def test_its_progress_is_seen_while_it_waits(place: Place) -> None:
    async def code(call: Call) -> None:
        aw.progress(40, 100)
        await place.gate(call)

    Call.code = staticmethod(code)
    place.ask("dial")
    with place.serving():
        eventually(lambda: place.progress() == [("1", 40, 100)])
        place.gate.is_open.set()
        eventually(lambda: place.pending() == 0)

    assert place.progress() == []


def test_a_server_that_stops_lets_them_end(place: Place) -> None:
    place.ask("dial", "dial")
    with place.serving():
        eventually(lambda: place.gate.waiting == 2)
        threading.Timer(0.2, place.gate.is_open.set).start()

    assert place.logs() == ["dialled"] * 2
    assert [event.unfinished for event in place.of(ServerStopped)] == [0]


def test_one_that_outlasts_the_grace_keeps_its_lease_until_it_ends(place: Place) -> None:
    place.ask("dial")
    with place.serving(grace=timedelta(seconds=0.1)):
        eventually(lambda: place.gate.waiting)

    assert [event.unfinished for event in place.of(ServerStopped)] == [1]
    with place.serving():
        assert place.leased() == 1
        place.gate.is_open.set()
        eventually(lambda: place.pending() == 0)
    assert place.gate.most == 1
    assert place.logs() == ["dialled"]


def test_an_async_application_starts_and_stops_it_without_waiting(place: Place) -> None:
    """A job waits for something in the application's loop, also while the server stops."""
    turns = 0

    async def ticks() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.005)

    async def answer() -> str:
        await asyncio.sleep(0.1)
        return "answered"

    async def application() -> None:
        loop = asyncio.get_running_loop()

        async def code(call: Call) -> None:
            call.log = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer(), loop))

        Call.code = staticmethod(code)
        ticking = asyncio.create_task(ticks())
        place.ask("queue")
        async with place.app().serving_async(place.engine):
            while not place.leased():
                await asyncio.sleep(0)
            before = turns
        assert turns - before > 5
        ticking.cancel()

    asyncio.run(application())
    assert place.logs() == ["answeredqueued"]


def test_an_async_application_is_told_why_no_server_starts(place: Place) -> None:
    place.app().uninstall(place.engine)

    async def application() -> None:
        async with place.app().serving_async(place.engine):
            pass

    with pytest.raises(NotInstalled):
        asyncio.run(application())


def test_what_an_async_application_raises_stops_the_server(place: Place) -> None:
    async def application() -> None:
        async with place.app().serving_async(place.engine):
            raise LookupError("of its own")

    with pytest.raises(LookupError, match="of its own"):
        asyncio.run(application())
    assert len(place.of(ServerStopped)) == 1


def test_an_async_application_that_is_cancelled_while_it_starts_leaves_no_server(place: Place) -> None:
    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with place.app().serving_async(place.engine):
            yield

    async def application() -> None:
        task = asyncio.create_task(lifespan().__aenter__())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(application())
    assert not [thread for thread in threading.enumerate() if thread.name == "afterwork-server"]
