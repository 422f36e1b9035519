"""Batches are not to be seen: what a job does to the tickets behind it counts."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update

import afterwork as aw
from afterwork.jobs import in_transaction
from tests.jobs.batch_scene import Base, SysAsyncTicket, Thing, ask, batches, world
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.world import World, errors, statements, works

__all__ = ["world"]

TICKETS: Any = SysAsyncTicket.__table__
UNSYNCHRONIZED = {"synchronize_session": False}
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
    monkeypatch.setattr(in_transaction, "BATCH_SECONDS", 0.5)
    readings = itertools.chain([0.0] * 3, itertools.repeat(1.0))
    monkeypatch.setattr(in_transaction, "perf_counter", lambda: next(readings))
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


@ONLY_POSTGRESQL
def test_what_others_ask_for_meanwhile_disturbs_no_batch(world: World) -> None:
    def by_another(session: Any, behind: Any) -> None:
        _insert(session)
        with world.session() as other, other.begin():
            _save(other, priority=1)

    Thing.act = staticmethod(by_another)
    ask(world, "disturb", "work", "work")
    world.run()

    assert batches(world) == 3


@ONLY_POSTGRESQL
def test_a_more_urgent_ticket_that_others_ask_for_meanwhile_waits_for_the_runs_of_one_batch(
    world: World,
) -> None:
    def by_another(session: Any, behind: Any) -> None:
        with world.session() as other, other.begin():
            _save(other, priority=1)

    Thing.act = staticmethod(by_another)
    ask(world, "disturb", *["work"] * 11)
    small = aw.Afterwork(Base, clock=world.clock, settings=aw.Settings(batch=4))

    ran = [root for _, root in works(small.run_until_idle(world.engine))]

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


@ONLY_POSTGRESQL
def test_a_ticket_that_a_statement_on_something_else_rewrites_by_the_way_runs_as_it_says_then(world: World) -> None:
    def by_the_way(session: Any, behind: Any) -> None:
        last_first = (
            update(SysAsyncTicket).where(SysAsyncTicket.id == 4).values(priority=1).returning(SysAsyncTicket.id)
        )
        session.execute(
            update(Thing).values(n=Thing.n + 10).add_cte(last_first.cte()), execution_options=UNSYNCHRONIZED
        )

    Thing.act = staticmethod(by_the_way)
    ask(world, "work", "disturb", "work", "work")

    assert [root for _, root in works(world.run())] == [f"Thing!{number}" for number in (2, 3, 5, 4)]


LOOKED_AT: dict[str, tuple[Any, bool]] = {
    "a class": (update(Thing).values(n=5), False),
    "a table": (update(Thing.__table__).values(n=5), False),  # type: ignore[arg-type]
    "the class of tickets": (update(SysAsyncTicket).values(keep_receipt_minutes=10), True),
    "the table of tickets": (update(TICKETS).values(keep_receipt_minutes=10), True),
    "a text": (text("UPDATE thing SET n = 5"), True),
    "a text within": (update(Thing).values(n=5).where(text("n < 5")), True),
}


@pytest.mark.parametrize("what", LOOKED_AT)
def test_a_batch_is_looked_at_again_only_if_a_statement_may_have_written_tickets(world: World, what: str) -> None:
    statement, is_looked_at = LOOKED_AT[what]
    Thing.act = staticmethod(lambda session, behind: session.execute(statement, execution_options=UNSYNCHRONIZED))
    ask(world, "work", "disturb", "work")

    with statements(world.engine) as sent:
        world.run()

    assert any("other_ticket" in one for one in sent) is is_looked_at
