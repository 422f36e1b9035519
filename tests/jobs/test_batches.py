"""Batches are not to be seen: what a job does to the tickets behind it counts, one that fails costs the others little,
and nobody is in a batch's way, nor is it in anybody's."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

import pytest
from sqlalchemy import Engine, ForeignKey, delete, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import Reached
from afterwork.jobs import deferred, inside
from afterwork.jobs.batch import BatchSize, CommittedBatch
from afterwork.jobs.run import Succeeded
from afterwork.jobs.runner import Settled
from afterwork.server.until_idle import run_until_idle
from afterwork.store.dialects import database_of
from tests.support.world import World, errors, everything, statements, works


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)
    only: Mapped[str | None] = mapped_column(unique=True)
    parent: Mapped[int | None] = mapped_column(ForeignKey("parent.id", deferrable=True, initially="DEFERRED"))

    act: ClassVar[Any] = None
    calls: ClassVar[list[int]] = []

    @aw.method
    def disturb(self) -> None:
        Thing.act(aw.session(self), Thing.behind(aw.current_run().ticket))

    @staticmethod
    def behind(key: Any) -> Any:
        return SysAsyncTicket.id > key

    @aw.method
    def work(self) -> None:
        Thing.calls.append(self.id)
        self.n += 1

    @aw.method
    def fail(self) -> None:
        Thing.calls.append(self.id)
        raise ValueError

    @aw.method
    def break_at_flush(self) -> None:
        Thing.calls.append(self.id)
        self.only = "taken"

    @aw.method
    def break_at_commit(self) -> None:
        Thing.calls.append(self.id)
        self.parent = 404

    @aw.method(lane="aside")
    def aside(self) -> None:
        pass

    @aw.method(external=True)
    def outside(self) -> None:
        pass

    @aw.method
    def raise_by_sql(self) -> None:
        aw.session(self).execute(text("UPDATE thing SET n = n + 10"))

    @aw.method
    def raise_past_the_session(self) -> None:
        aw.session(self).connection().execute(text("UPDATE thing SET n = n + 10"))


@pytest.fixture
def world(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    """A batch takes as many as it may, however slow the machine is."""
    monkeypatch.setattr(inside, "BATCH_SECONDS", 3600.0)
    Thing.calls.clear()
    made = World(engine, Base)
    with made.session() as session, session.begin():
        session.add(Thing(only="taken"))
    return made


def ask(world: World, *names: str) -> None:
    """A ticket for each name, each on a thing of its own, in order."""
    with world.session() as session, session.begin():
        for name in names:
            thing = Thing()
            session.add(thing)
            session.flush()
            session.add(SysAsyncTicket(view_model=f"Thing.{name}", root_object=thing))
            session.flush()


TICKETS: Any = SysAsyncTicket.__table__
TOMORROW = datetime.now(UTC) + timedelta(days=1)
ENDED: dict[str, Any] = {"done": datetime.now(UTC), "delete_time": TOMORROW}
CALLS_OFF: dict[str, dict[str, Any]] = {
    "ends": ENDED,
    "ends with an error": {**ENDED, "error": "not needed"},
    "postpones": {"execute_earliest": TOMORROW},
}


def _by_objects(session: Any, behind: Any, values: dict[str, Any]) -> None:
    for ticket in session.scalars(select(SysAsyncTicket).where(behind)):
        for name, value in values.items():
            setattr(ticket, name, value)


def _by_statement(session: Any, behind: Any, values: dict[str, Any]) -> None:
    session.execute(update(SysAsyncTicket).where(behind).values(values))


def _by_sql(session: Any, behind: Any, values: dict[str, Any]) -> None:
    session.connection().execute(update(TICKETS).where(behind).values(values))


def _by_driver(session: Any, behind: Any, values: dict[str, Any]) -> None:
    """Past all that could listen."""
    compiled = (
        update(TICKETS)
        .where(behind)
        .values(values)
        .compile(dialect=session.bind.dialect, compile_kwargs={"literal_binds": True})
    )
    cursor = session.connection().connection.cursor()
    cursor.execute(str(compiled))
    cursor.close()


WAYS = [_by_objects, _by_statement, _by_sql, _by_driver]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", CALLS_OFF)
def test_a_ticket_that_a_job_before_it_has_called_off_does_not_run(world: World, way: Any, how: str) -> None:
    Thing.act = staticmethod(lambda session, behind: way(session, behind, CALLS_OFF[how]))
    ask(world, "work", "disturb", "work", "work")

    assert works(world.run()) == [("Thing.work", "Thing!2"), ("Thing.disturb", "Thing!3")]
    assert [thing.n for thing in world.all(Thing)] == [0, 1, 0, 0, 0]


def _delete_objects(session: Any, behind: Any) -> None:
    for ticket in session.scalars(select(SysAsyncTicket).where(behind)):
        session.delete(ticket)


def _delete_by_statement(session: Any, behind: Any) -> None:
    session.execute(delete(SysAsyncTicket).where(behind))


def _delete_by_sql(session: Any, behind: Any) -> None:
    session.connection().execute(delete(TICKETS).where(behind))


@pytest.mark.parametrize("way", [_delete_objects, _delete_by_statement, _delete_by_sql])
def test_a_ticket_that_a_job_before_it_has_deleted_does_not_run(world: World, way: Any) -> None:
    Thing.act = staticmethod(way)
    ask(world, "work", "disturb", "work", "work")

    assert works(world.run()) == [("Thing.work", "Thing!2"), ("Thing.disturb", "Thing!3")]
    assert [thing.n for thing in world.all(Thing)] == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("way", WAYS)
def test_a_ticket_that_a_job_before_it_has_made_more_urgent_runs_next(world: World, way: Any) -> None:
    def last_first(session: Any, behind: Any) -> None:
        way(session, SysAsyncTicket.id == 5, {"priority": 1})

    Thing.act = staticmethod(last_first)
    ask(world, "work", "disturb", "work", "work", "work")

    assert [root for _, root in works(world.run())] == [f"Thing!{number}" for number in (2, 3, 6, 4, 5)]


def test_a_more_urgent_ticket_runs_next_though_the_time_of_its_batch_was_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Thing.act = staticmethod(lambda session, behind: _by_sql(session, SysAsyncTicket.id == 4, {"priority": 1}))
    monkeypatch.setattr(inside, "BATCH_SECONDS", 0.5)
    readings = itertools.chain([0.0] * 3, itertools.repeat(1.0))
    monkeypatch.setattr(inside, "perf_counter", lambda: next(readings))
    ask(world, "disturb", "work", "work", "work")

    assert [root for _, root in works(world.run())] == [f"Thing!{number}" for number in (2, 5, 3, 4)]


@pytest.mark.parametrize("way", WAYS)
def test_a_ticket_that_a_job_before_it_has_moved_runs_in_its_new_lane(world: World, way: Any) -> None:
    Thing.act = staticmethod(lambda session, behind: way(session, behind, {"lane": "other"}))
    ask(world, "work", "disturb", "work")

    assert [ended.run.lane for ended in world.run()] == ["main", "main", "other"]


YESTERDAY = datetime.now(UTC) - timedelta(days=1)
REWRITES: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "its root": ({"root_id": "Thing!1"}, [("work", "Thing!4"), ("work", "Thing!1")]),
    "its work": ({"view_model": "Thing.aside"}, [("work", "Thing!4"), ("aside", "Thing!5")]),
    "its work, which is outside": ({"view_model": "Thing.outside"}, [("work", "Thing!4"), ("outside", "Thing!5")]),
    "its last moment": ({"not_after": YESTERDAY}, [("work", "Thing!4"), ("work", "Thing!5")]),
    "its moment": ({"execute_earliest": YESTERDAY}, [("work", "Thing!5"), ("work", "Thing!4")]),
}
"""What a job may write into the last ticket of its lane, and what runs then."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", REWRITES)
def test_a_ticket_that_a_job_before_it_has_rewritten_runs_as_it_says_then(world: World, way: Any, what: str) -> None:
    values, expected = REWRITES[what]
    Thing.act = staticmethod(lambda session, behind: way(session, SysAsyncTicket.id == 4, values))
    ask(world, "work", "disturb", "work", "work")

    assert [(work.removeprefix("Thing."), root) for work, root in works(world.run())[2:]] == expected
    assert [bool(error) for error in errors(world.engine, SysAsyncTicket)] == [*[False] * 3, "not_after" in values]
    assert sum(thing.n for thing in world.all(Thing)) == (3 if values.keys() & {"root_id", "execute_earliest"} else 2)


def _save(session: Any, **values: Any) -> None:
    session.add(SysAsyncTicket(view_model="Thing.work", root_id="Thing!1", **values))


def _insert(session: Any, **values: Any) -> None:
    session.connection().execute(insert(TICKETS).values(view_model="Thing.work", root_id="Thing!1", **values))


@pytest.mark.parametrize("way", [_save, _insert])
@pytest.mark.parametrize("values", [{"priority": 1}, {"execute_earliest": YESTERDAY}], ids=["priority", "moment"])
def test_a_more_urgent_ticket_that_a_job_asks_for_runs_next(world: World, way: Any, values: dict[str, Any]) -> None:
    Thing.act = staticmethod(lambda session, behind: way(session, **values))
    ask(world, "work", "disturb", "work", "work")

    assert [root for _, root in works(world.run())] == [f"Thing!{number}" for number in (2, 3, 1, 4, 5)]


@pytest.mark.parametrize("way", [_save, _insert])
def test_a_ticket_that_a_job_asks_for_and_that_comes_behind_disturbs_no_batch(world: World, way: Any) -> None:
    Thing.act = staticmethod(lambda session, behind: way(session))
    ask(world, *["disturb"] * 5)
    world.run()

    assert batches(world) == 2


def test_what_others_ask_for_meanwhile_disturbs_no_batch(on_postgresql: World) -> None:
    def by_another(session: Any, behind: Any) -> None:
        _insert(session)
        with on_postgresql.session() as other, other.begin():
            _save(other, priority=1)

    Thing.act = staticmethod(by_another)
    ask(on_postgresql, "disturb", "work", "work")
    on_postgresql.run()

    assert batches(on_postgresql) == 3


def test_a_more_urgent_ticket_that_others_ask_for_meanwhile_waits_for_the_runs_of_one_batch(
    on_postgresql: World,
) -> None:
    def by_another(session: Any, behind: Any) -> None:
        with on_postgresql.session() as other, other.begin():
            _save(other, priority=1)

    Thing.act = staticmethod(by_another)
    ask(on_postgresql, "disturb", *["work"] * 11)
    small = aw.Afterwork(Base, clock=on_postgresql.clock, settings=aw.Settings(batch=4))

    ran = [root for _, root in works(small.run_until_idle(on_postgresql.engine))]

    assert ran.index("Thing!1") == 4


def _make(session: Any, behind: Any) -> None:
    session.add(Thing(id=77))


def _make_by_sql(session: Any, behind: Any) -> None:
    session.connection().execute(insert(Thing).values(id=77, n=0))


@pytest.mark.parametrize("way", [_make, _make_by_sql])
def test_a_job_finds_the_root_that_one_before_it_has_made(world: World, way: Any) -> None:
    Thing.act = staticmethod(way)
    ask(world, "disturb")
    with world.session() as session, session.begin():
        session.add(SysAsyncTicket(view_model="Thing.work", root_id="Thing!77"))

    assert works(world.run()) == [("Thing.disturb", "Thing!2"), ("Thing.work", "Thing!77")]
    assert errors(world.engine, SysAsyncTicket) == [None, None]


@pytest.mark.parametrize("name", ["raise_by_sql", "raise_past_the_session"])
def test_a_job_sees_what_one_before_it_has_written_past_the_objects(world: World, name: str) -> None:
    ask(world, "work", name, "work", name, "work")
    world.run()

    assert [thing.n for thing in world.all(Thing)][1:] == [21, 20, 21, 20, 21]


# What one costs that fails.

MANY = 300


def batches(world: World) -> int:
    return sum(isinstance(event, Reached) and event.point == "claimed" for event in world.seen)


@pytest.mark.parametrize("place", [0, 1, 149, 298, 299])
@pytest.mark.parametrize("name", ["fail", "break_at_flush", "break_at_commit"])
def test_one_that_fails_among_many_costs_a_few_batches_more(world: World, name: str, place: int) -> None:
    if name == "break_at_commit" and world.engine.dialect.name == "sqlite":
        pytest.skip("foreign keys are not checked there")
    ask(world, *(name if number == place else "work" for number in range(MANY)))
    world.run()

    assert [number for number, error in enumerate(errors(world.engine, SysAsyncTicket)) if error] == [place]
    assert batches(world) <= 30
    assert len(Thing.calls) <= 4 * MANY


def test_all_that_fail_cost_two_runs_each(world: World) -> None:
    ask(world, *["fail"] * 50)
    world.run()

    assert all(errors(world.engine, SysAsyncTicket))
    assert len(Thing.calls) <= 2 * 50


def test_a_batch_whose_time_is_over_takes_no_further_ticket(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "BATCH_SECONDS", 0.0)
    ask(world, *["work"] * 5)
    world.run()

    assert len(Thing.calls) == 5
    assert batches(world) == 5


def test_tickets_that_stand_in_a_wrong_lane_are_moved_some_at_a_time(engine: Engine) -> None:
    world = World(engine, Base, settings=aw.Settings(batch=10))
    ask(world, "work")
    with world.session() as session, session.begin():
        session.add_all(SysAsyncTicket(view_model="Thing.aside", root_id="Thing!1") for _ in range(35))

    with statements(world.engine) as sent:
        assert [ended.run.lane for ended in world.run()] == ["main"] + ["aside"] * 35
    moves = [one for one in sent if one.startswith("UPDATE sys_async_ticket SET lane")]
    assert len(moves) == 4


# Who has rows locked (PostgreSQL: on SQLite there is one lock for all).


@contextmanager
def locked(world: World, *things: int) -> Iterator[None]:
    """A user has rows locked."""
    with world.engine.connect() as user:
        user.execute(select(Thing).where(Thing.id.in_(things)).with_for_update())
        yield
        user.rollback()


@pytest.fixture
def on_postgresql(world: World) -> World:
    if world.engine.dialect.name == "sqlite":
        pytest.skip("there is one lock for all")
    return world


def test_a_row_that_a_user_has_locked_puts_only_its_own_ticket_aside(on_postgresql: World) -> None:
    world = on_postgresql
    ask(world, *["work"] * 20)
    with locked(world, 8):
        ran = works(world.run())

    assert [number for number, thing in enumerate(world.all(Thing)) if thing.n == 0] == [0, 7]
    assert len([root for _, root in ran if root != "Thing!8"]) == 19
    assert errors(world.engine, SysAsyncTicket) == [None] * 20

    world.clock.advance(deferred.FIRST)
    world.run()
    assert [thing.n for thing in world.all(Thing)][7] == 1


@pytest.mark.parametrize("lane", ["main", "parallel"])
@pytest.mark.parametrize("of_first", [1, 3])
def test_tickets_that_a_user_has_locked_hold_up_none_behind_them(
    on_postgresql: World, of_first: int, lane: str
) -> None:
    """Whatever their priority: the rest of the lane goes on, and these follow when the user lets them go."""
    world = on_postgresql
    ask(world, *["work"] * 5)
    with world.engine.begin() as connection:
        connection.execute(update(SysAsyncTicket).values(lane=lane))
        connection.execute(update(SysAsyncTicket).where(SysAsyncTicket.id <= of_first).values(priority=1))
        connection.execute(update(SysAsyncTicket).where(SysAsyncTicket.id == 5).values(priority=2))
    with world.engine.connect() as user:
        user.execute(select(SysAsyncTicket).where(SysAsyncTicket.priority == 1).with_for_update())
        ran = works(world.run())

    rest = range(of_first + 1, 5)
    assert ran == [("Thing.work", f"Thing!{ticket + 1}") for ticket in (5, *rest)]
    assert len(world.run()) == of_first


@contextmanager
def serving_by_hand(world: World) -> Iterator[Callable[[], object]]:
    """Yield what has one server run all that is due, again and again."""
    database = database_of(world.engine, world.settings)
    connection = database.connect()
    try:
        runner = world.app.runner(database, connection)
        yield lambda: list(run_until_idle(runner, connection))
    finally:
        connection.close()


def test_the_pause_of_a_ticket_that_is_put_aside_grows(on_postgresql: World) -> None:
    world = on_postgresql
    ask(world, "work")
    pauses = []
    with locked(world, 2), serving_by_hand(world) as run:
        for _ in range(4):
            run()
            (ticket,) = everything(world.engine, SysAsyncTicket)
            pauses.append(ticket.execute_earliest - world.clock.now())
            world.clock.advance(pauses[-1])

    assert [later / earlier for earlier, later in itertools.pairwise(pauses)] == [2, 2, 2]


def test_a_pause_has_a_bound_and_begins_anew_after_a_run() -> None:
    found = deferred.DeferredTickets()
    pauses = [found.pause("key") for _ in range(20)]
    assert pauses[-1] == deferred.LONGEST

    found.forget("key")
    assert found.pause("key") == deferred.FIRST


def test_it_is_the_batch_that_gives_way_to_a_user(on_postgresql: World) -> None:
    """It waits for less than PostgreSQL takes to look for a deadlock, of which the user's transaction might be the
    victim."""
    world = on_postgresql
    with world.engine.connect() as connection:
        deadlock = connection.execute(text("SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout'"))
        assert deadlock.scalar_one() >= 1000
    seen: list[str] = []

    def note(session: Any, behind: Any) -> None:
        seen.append(session.execute(text("SHOW lock_timeout")).scalar())

    Thing.act = staticmethod(note)
    ask(world, "work", "disturb", "work", "disturb")
    world.run()
    assert seen == ["100ms", "100ms"]


def test_a_batch_takes_as_many_as_fit_into_its_time() -> None:
    """Others are claimed in vain, and their roots loaded."""
    size, done = BatchSize.of(300), cast("Settled", [(None, Succeeded())] * 100)
    size.note(CommittedBatch(done, more=True, full=False))
    assert size.next == 100
    sizes = [size.note(CommittedBatch(done, more=True)).next for _ in range(7)]
    assert sizes == [126, 158, 198, 248, 300, 300, 300]
    assert size.is_usual
