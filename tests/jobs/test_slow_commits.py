"""Deferred triggers run when a transaction commits. One that hangs there fails its own run, and holds up nobody."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from afterwork.events import Failed
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

LIMIT = timedelta(seconds=2)
TOO_LONG = "CommitTimedOut: Its commit took longer than 2 s and was cancelled"


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Flow(StateChart[Any]):
    low = State(initial=True)
    high = State(final=True)
    low.to(high, cond="is_high")


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")
    n: Mapped[int] = mapped_column(default=1)
    worked: Mapped[int] = mapped_column(default=0)
    ticks: Mapped[int] = mapped_column(default=0)
    twice: Mapped[int | None] = mapped_column()
    thrice: Mapped[int | None] = mapped_column()
    copied: Mapped[int | None] = mapped_column()
    told: Mapped[str | None] = mapped_column()
    state: Mapped[str | None] = mapped_column()
    flow = aw.machine(Flow, state=state)

    def is_high(self) -> bool:
        return self.n > 1

    @aw.derived(twice)
    def compute_twice(self) -> int:
        return 2 * self.n

    @aw.derived(thrice)
    def compute_thrice(self) -> int:
        return 3 * self.n

    @aw.method
    def work(self) -> None:
        self.worked += 1

    @aw.method(lane=None)
    def work_in_parallel(self) -> None:
        self.worked += 1

    @aw.method(external=True)
    def work_outside(self) -> None:
        self.worked += 1

    @aw.method(timeout=timedelta.max)
    def work_for_long(self) -> None:
        self.worked += 1


class Fails(aw.ViewModel, root=Thing):
    @aw.action
    def do(self) -> None:
        raise ValueError("not today")

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        self.root.told = self.error_text


class Copying(aw.ViewModel, root=Thing):
    when = aw.WhenStale()

    @aw.action
    def copy(self) -> None:
        self.root.copied = self.root.n


class Tick(aw.ViewModel, root=Thing):
    when = aw.Every(seconds=0.2, criteria=select(Thing).where(Thing.name == "ticks"), lane="ticks")

    @aw.action
    def tick(self) -> None:
        self.root.ticks += 1


HANGS = "PERFORM pg_sleep(100)"
SWALLOWS = f"BEGIN {HANGS}; EXCEPTION WHEN query_canceled THEN NULL; END"
FOR_EVER = f"LOOP {SWALLOWS}; END LOOP"


def defer(engine: Engine, column: str, does: str = HANGS, table: str = "thing", of: str = "new.name = 'slow'") -> None:
    """Have a deferred trigger do something in a server's commits that have written a column of a slow thing."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF {of} AND current_setting('application_name') = 'afterwork' THEN {does}; END IF; RETURN NULL; END $$"
        )
        connection.exec_driver_sql(
            f"CREATE CONSTRAINT TRIGGER dawdle AFTER UPDATE OF {column} ON {table} DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION dawdle()"
        )


def mend(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
        )


def end_all_that_hangs(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query = 'COMMIT' AND state = 'active'"
            )
        )


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    before = set(threading.enumerate())
    settings = aw.Settings(timeout=LIMIT, abandon_after=timedelta(seconds=0.1), workers=2)
    made = World(engine, Base, settings=settings)
    with made.session() as session, session.begin():
        session.add_all(Thing(name=name) for name in ("", "slow", "", "", "ticks"))
    made.run()
    yield made
    end_all_that_hangs(engine)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


@contextmanager
def serving(world: World) -> Iterator[None]:
    """Serve by the real clock, by which timers always have something to do."""
    world.app.clock = aw.SystemClock()
    with world.app.serving(world.engine):
        yield


def ask(world: World, work: str) -> None:
    """Tickets for the first four things, one of which is slow."""
    with world.session() as session, session.begin():
        for thing in session.scalars(select(Thing).where(Thing.id < 5).order_by(Thing.id)):
            aw.later(getattr(thing, work))


def goes_on(world: World) -> None:
    """Work of another lane, and timers, go on."""
    ticks = world.all(Thing)[4].ticks
    with world.session() as session, session.begin():
        aw.later(session.get_one(Thing, 5).work, lane="other")
    eventually(lambda: world.all(Thing)[4].worked > 0)
    eventually(lambda: world.all(Thing)[4].ticks > ticks)


def beginnings(world: World) -> list[str]:
    return [(ticket.error or "")[: len(TOO_LONG)] for ticket in world.all(SysAsyncTicket)]


def is_over(world: World) -> bool:
    return all(ticket.done for ticket in world.all(SysAsyncTicket))


@pytest.mark.parametrize("work", ["work", "work_in_parallel", "work_outside"])
def test_only_the_ticket_fails_whose_commit_hangs(world: World, engine: Engine, work: str) -> None:
    defer(engine, "worked")
    ask(world, work)
    with serving(world):
        goes_on(world)
        eventually(lambda: is_over(world))

    assert beginnings(world) == ["", TOO_LONG, "", "", ""]
    assert "deferred trigger" in world.all(SysAsyncTicket)[1].error
    assert [thing.worked for thing in world.all(Thing)[:4]] == [1, 0, 1, 1]


def test_without_a_server_a_commit_is_cancelled_too(world: World, engine: Engine) -> None:
    defer(engine, "worked")
    ask(world, "work")
    world.run()

    assert beginnings(world) == ["", TOO_LONG, "", ""]


def test_a_commit_that_succeeds_although_it_was_cancelled_has_succeeded(world: World, engine: Engine) -> None:
    defer(engine, "worked", SWALLOWS)
    ask(world, "work")
    world.run()
    ask(world, "work")  # on the same connections, which no late cancellation hits
    mend(engine)
    world.run()

    assert beginnings(world) == [""] * 8
    assert [thing.worked for thing in world.all(Thing)[:4]] == [2, 2, 2, 2]


def test_a_work_that_never_times_out_commits_for_as_long_as_it_likes(world: World, engine: Engine) -> None:
    defer(engine, "worked", "PERFORM pg_sleep(3)")
    ask(world, "work_for_long")
    world.run()

    assert beginnings(world) == [""] * 4


def test_what_on_exception_does_is_left_out_if_its_commit_hangs(world: World, engine: Engine) -> None:
    defer(engine, "told")
    with world.session() as session, session.begin():
        aw.later(Fails(session.get_one(Thing, 1)))
        aw.later(Fails(session.get_one(Thing, 2)))
    world.run()

    first, second = world.all(SysAsyncTicket)
    assert first.error.startswith("ValueError: not today (")
    assert TOO_LONG not in first.error
    assert second.error.startswith("ValueError: not today")
    assert TOO_LONG in second.error
    assert [bool(thing.told) for thing in world.all(Thing)[:2]] == [True, False]


def test_a_ticket_whose_own_table_hangs_holds_up_nobody(world: World, engine: Engine) -> None:
    defer(engine, "done, error", table="sys_async_ticket", of="new.root_id = 'Thing!2'")
    ask(world, "work")
    with serving(world):
        goes_on(world)
        eventually(lambda: [thing.worked for thing in world.all(Thing)[:4]] == [1, 0, 1, 1])
        mend(engine)
        eventually(lambda: is_over(world))


WAYS = {"twice": "Thing.twice", "thrice": "Thing.thrice", "copied": "Copying", "state": "Thing.flow"}


@pytest.mark.parametrize("column", WAYS)
def test_only_the_cache_fails_whose_commit_hangs(world: World, engine: Engine, column: str) -> None:
    defer(engine, column)

    def is_made(thing: Thing) -> bool:
        return (thing.twice, thing.thrice, thing.copied, thing.state) == (2 * thing.n, 3 * thing.n, thing.n, "high")

    with serving(world):
        with engine.begin() as connection:
            connection.execute(text("UPDATE thing SET n = 2"))
        eventually(lambda: all(is_made(thing) for thing in world.all(Thing) if thing.name != "slow"))
        goes_on(world)
        eventually(lambda: [failed for failed in list(world.seen) if isinstance(failed, Failed)])
        assert not is_made(world.all(Thing)[1])
        mend(engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE thing SET n = 3"))
        eventually(lambda: all(map(is_made, world.all(Thing))))
    failures = {(failed.work, failed.root_id) for failed in world.seen if isinstance(failed, Failed)}
    assert failures == {(WAYS[column], "Thing!2")}
    assert next(failed.error for failed in world.seen if isinstance(failed, Failed)).startswith(TOO_LONG)


def test_what_can_not_be_cancelled_costs_no_worker(world: World, engine: Engine) -> None:
    """PostgreSQL goes on with it, so its lane stays taken; but its connection is given up."""
    defer(engine, "worked", FOR_EVER)
    ask(world, "work")
    with serving(world):
        goes_on(world)
        mend(engine)
        end_all_that_hangs(engine)
        eventually(lambda: is_over(world))

    assert [thing.worked for thing in world.all(Thing)[:4]] == [1, 1, 1, 1]


def test_listeners_of_the_application_hear_of_commits_before_they_are_made(world: World, engine: Engine) -> None:
    heard: list[bool] = []

    def note(connection: Any) -> None:
        heard.append(connection.connection.dbapi_connection.info.transaction_status.name == "INTRANS")

    event.listen(engine, "commit", note)
    ask(world, "work")
    world.run()
    event.remove(engine, "commit", note)

    assert any(heard)
