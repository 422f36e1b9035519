"""Time-outs: a run that takes too long ends with `TimedOut`, wherever its code is, and frees what it holds."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import BadDeclaration
from afterwork.events import Abandoned, Failed, PutOff
from afterwork.jobs.timeouts import TimedRun, Timeouts
from afterwork.store.tickets.end_forms import FIXED
from tests.support.waiting import eventually
from tests.support.world import World, the_only

SHORT = timedelta(milliseconds=50)
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(100)",
}


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Job(Base):
    """Does what a test puts into `CODE`, and leaves a trace."""

    __tablename__ = "job"
    id: Mapped[int] = mapped_column(primary_key=True)
    trace: Mapped[str] = mapped_column(default="")

    @aw.method(timeout=SHORT)
    def inside(self) -> None:
        self.trace = "begun"
        CODE(self)

    @aw.method(timeout=SHORT, lane=None)
    def parallel(self) -> None:
        self.trace = "begun"
        CODE(self)

    @aw.method(timeout=SHORT, external=True)
    def external(self) -> None:
        self.trace = "begun"
        CODE(self)

    @aw.method(timeout=SHORT, retry=aw.Retry(attempts=2, backoff=timedelta(0), on=(aw.TimedOut,)))
    def again(self) -> None:
        CODE(self)

    @aw.method
    def without(self) -> None:
        CODE(self)

    @aw.method(timeout=timedelta.max)
    def never(self) -> None:
        CODE(self)

    @aw.method
    def quick(self) -> None:
        self.trace = "done"

    def is_ready(self) -> bool:
        CODE(self)
        return True

    @aw.method(timeout=SHORT, precondition=is_ready)
    def checked(self) -> None:
        self.trace = "done"

    @aw.method(timeout=SHORT, precondition=is_ready, external=True)
    def checked_outside(self) -> None:
        self.trace = "done"


class Told(aw.ViewModel[Job]):
    timeout = SHORT

    @aw.action
    def do(self) -> None:
        CODE(self.root)

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        self.root.trace = self.error_text


def code(job: Job) -> None:
    raise AssertionError("each test has its own")


CODE: Callable[[Job], object] = code


def loops(job: Job) -> None:
    while True:
        pass


def asks(job: Job) -> None:
    aw.session(job).execute(text(ENDLESS[aw.session(job).get_bind().dialect.name]))


def swallows(job: Job) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(Exception):
            while True:
                pass


def swallows_statements(job: Job) -> None:
    with contextlib.suppress(Exception):
        asks(job)


def reports(job: Job) -> None:
    for _ in range(1_000_000):
        aw.progress(1)


def swallows_reports(job: Job) -> None:
    with contextlib.suppress(Exception):
        reports(job)


def is_late(job: Job) -> None:
    until = time.monotonic() + 2 * SHORT.total_seconds()
    while time.monotonic() < until:
        pass


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base, settings=aw.Settings(abandon_after=SHORT))


def ask(world: World, *works: str) -> None:
    with world.session() as session, session.begin():
        for work in works:
            job = Job()
            session.add(job)
            aw.later(Told(job) if work == "told" else getattr(job, work))


def use(monkeypatch: pytest.MonkeyPatch, does: Callable[[Job], object]) -> None:
    monkeypatch.setitem(globals(), "CODE", does)


@pytest.mark.parametrize("does", [loops, asks, swallows_statements, reports, swallows_reports, is_late])
@pytest.mark.parametrize("work", ["inside", "parallel", "checked"])
def test_a_run_inside_is_interrupted_wherever_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, work: str, does: Any
) -> None:
    use(monkeypatch, does)
    ask(world, work)

    world.run()

    (ticket,) = world.all(SysAsyncTicket)
    assert ticket.error.startswith("TimedOut: It ran for longer than its timeout of 0.05 s")
    assert world.all(Job)[0].trace == ""


@pytest.mark.parametrize("work", ["external", "checked_outside"])
@pytest.mark.parametrize("does", [reports, swallows_reports, is_late])
def test_a_run_outside_is_asked_and_saves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, does: Any, work: str
) -> None:
    use(monkeypatch, does)
    ask(world, work)

    world.run()

    (ticket,) = world.all(SysAsyncTicket)
    assert ticket.error.startswith("TimedOut: ")
    assert world.all(Job)[0].trace == ""


def test_a_run_that_ends_before_its_interruption_was_late_all_the_same() -> None:
    clock = [0.0]
    timeouts = Timeouts(timedelta(0), clock=lambda: clock[0])

    with pytest.raises(aw.TimedOut), timeouts.over(TimedRun(timedelta(hours=1))):
        clock[0] = 3600.0  # the thread that watches it sleeps on


def test_a_run_that_swallows_what_interrupts_it_is_interrupted_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[None] = []

    def swallows_twice(job: Job) -> None:
        while len(tries) < 2:
            with contextlib.suppress(aw.TimedOut):
                loops(job)
            tries.append(None)
        loops(job)

    use(monkeypatch, swallows_twice)
    ask(world, "inside")
    world.run()

    assert the_only(world.engine, SysAsyncTicket).error.startswith("TimedOut: ")


def test_only_the_culprit_of_a_batch_times_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, loops)
    ask(world, "quick", "inside", "quick", "quick")

    world.run()

    assert [one.trace for one in world.all(Job)] == ["done", "", "done", "done"]
    assert [one.error is None for one in world.all(SysAsyncTicket)] == [True, False, True, True]


def test_on_exception_and_retries_know_time_outs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, loops)
    ask(world, "told", "again")

    world.run()

    assert world.all(Job)[0].trace.startswith("TimedOut: ")
    assert [type(one) for one in world.seen if isinstance(one, PutOff)] == [PutOff]
    assert world.all(SysAsyncTicket)[1].attempts == 2


def test_the_settings_have_a_time_out_for_works_that_declare_none(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(engine, Base, settings=aw.Settings(timeout=SHORT))
    use(monkeypatch, is_late)
    ask(world, "without", "never")

    world.run()

    assert [one.error is None for one in world.all(SysAsyncTicket)] == [False, True]


# Code that waits in a library hears of nothing.


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Jobs wait until a test lets them go on, at its end at the latest."""
    gate = threading.Event()
    before = set(threading.enumerate())
    use(monkeypatch, lambda job: gate.wait())
    yield gate
    gate.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


@pytest.mark.parametrize("work", ["inside", "parallel", "external", "checked", "checked_outside"])
def test_a_run_that_hears_of_nothing_is_abandoned_and_frees_its_lane_and_worker(
    engine: Engine, stuck: threading.Event, work: str
) -> None:
    world = World(engine, Base, settings=aw.Settings(abandon_after=SHORT, workers=1))
    ask(world, work)
    with world.app.serving(engine):
        eventually(lambda: world.all(SysAsyncTicket)[0].done is not None)
        ask(world, "quick")
        eventually(lambda: world.all(Job)[-1].trace == "done")
        stuck.set()  # what it does now comes too late
        eventually(lambda: not any(one.name.startswith("afterwork-gives") for one in threading.enumerate()))

    assert world.all(Job)[0].trace == ""
    assert world.all(SysAsyncTicket)[0].error.startswith("TimedOut: ")
    assert [type(one) for one in world.seen if isinstance(one, Abandoned | Failed)] == [Abandoned, Failed]


REFUSES = {
    "sqlite": "CREATE TRIGGER refuse BEFORE UPDATE ON sys_async_ticket WHEN new.error LIKE '%TimedOut%'"
    " BEGIN SELECT raise(ABORT, 'no such error'); END",
    "postgresql": "ALTER TABLE sys_async_ticket ADD CHECK (error NOT LIKE '%TimedOut%')",
}


@pytest.mark.parametrize("work", ["inside", "parallel", "external"])
def test_an_abandoned_run_ends_as_well_as_its_table_takes_it(engine: Engine, stuck: threading.Event, work: str) -> None:
    world = World(engine, Base, settings=aw.Settings(abandon_after=SHORT, workers=1))
    ask(world, work)
    with engine.begin() as connection:
        connection.execute(text(REFUSES[engine.dialect.name]))
    with world.app.serving(engine):
        eventually(lambda: world.all(SysAsyncTicket)[0].done is not None)
        stuck.set()
    assert world.all(SysAsyncTicket)[0].error == FIXED


def test_what_is_abandoned_is_told_and_does_not_keep_a_server_from_stopping(
    engine: Engine, stuck: threading.Event
) -> None:
    world = World(engine, Base, settings=aw.Settings(abandon_after=SHORT))
    ask(world, "told")
    with world.app.serving(engine):
        eventually(lambda: world.all(SysAsyncTicket)[0].done is not None)

    assert world.all(Job)[0].trace.startswith("TimedOut: ")


@pytest.mark.parametrize("wrong", [0, 5, timedelta(0), timedelta(seconds=-1), "1 s"])
def test_a_time_out_is_a_span_above_zero(wrong: Any) -> None:
    with pytest.raises(BadDeclaration, match=r"its timeout is .*Give a duration above zero"):
        aw.method(timeout=wrong)(lambda self: None)
    with pytest.raises(BadDeclaration, match="Wrong: its timeout is"):
        type("Wrong", (aw.ViewModel,), {"timeout": wrong})
    with pytest.raises(BadDeclaration, match="Settings: its timeout is"):
        aw.Afterwork(Base, settings=aw.Settings(timeout=wrong))


INTERRUPTED = """
import sys
from datetime import timedelta

from afterwork.errors import TimedOut
from afterwork.jobs.timeouts import TimedRun, Timeouts

try:
    with Timeouts(timedelta(minutes=1)).over(TimedRun(timedelta(seconds=0.01), interrupt=lambda: True)):
        while True:
            pass
except TimedOut:
    sys.setprofile(lambda *_: None)
    print("goes on", (lambda: 1)())
"""


def test_a_program_can_be_profiled_after_a_run_was_interrupted() -> None:
    """An exception that was withdrawn would make CPython 3.11 loop for ever in the next call."""
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True, check=True, timeout=50)
    assert ran.stdout == "goes on 1\n"
