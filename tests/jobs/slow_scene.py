"""Things in whose writing a trigger hangs: where a server writes them, or when its transaction commits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from tests.support.waiting import eventually
from tests.support.world import World

LIMIT = timedelta(seconds=2)


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
    dawdle(
        engine, does, of, f"CONSTRAINT TRIGGER dawdle AFTER UPDATE OF {column} ON {table} DEFERRABLE INITIALLY DEFERRED"
    )


def trigger(
    engine: Engine, column: str, does: str = HANGS, table: str = "thing", of: str = "new.name = 'slow'"
) -> None:
    """Have a trigger do something where a server writes a column of a slow thing."""
    dawdle(engine, does, of, f"TRIGGER dawdle BEFORE UPDATE OF {column} ON {table}")


def dawdle(engine: Engine, does: str, of: str, when: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF {of} AND current_setting('application_name') = 'afterwork' THEN {does}; END IF; RETURN new; END $$"
        )
        connection.exec_driver_sql(f"CREATE {when} FOR EACH ROW EXECUTE FUNCTION dawdle()")


def mend(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$"
        )


def end_all_that_hangs(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'afterwork' AND state = 'active'"
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


def beginnings(world: World, much: int) -> list[str]:
    return [(ticket.error or "")[:much] for ticket in world.all(SysAsyncTicket)]


def is_over(world: World) -> bool:
    return all(ticket.done for ticket in world.all(SysAsyncTicket))
