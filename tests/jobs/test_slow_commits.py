"""Deferred triggers run when a transaction commits. One that hangs there fails its own run, and holds up nobody."""

from typing import Any

import pytest
from sqlalchemy import Engine, event, text

import afterwork as aw
from afterwork.events import Failed
from tests.jobs.slow_scene import (
    FOR_EVER,
    SWALLOWS,
    Fails,
    SysAsyncTicket,
    Thing,
    ask,
    beginnings,
    defer,
    end_all_that_hangs,
    goes_on,
    is_over,
    mend,
    serving,
    world,
)
from tests.support.waiting import eventually
from tests.support.world import World

__all__ = ["world"]

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

TOO_LONG = "CommitTimedOut: Its commit took longer than 2 s and was cancelled"


@pytest.mark.parametrize("work", ["work", "work_in_parallel", "work_outside"])
def test_only_the_ticket_fails_whose_commit_hangs(world: World, engine: Engine, work: str) -> None:
    defer(engine, "worked")
    ask(world, work)
    with serving(world):
        goes_on(world)
        eventually(lambda: is_over(world))

    assert beginnings(world, len(TOO_LONG)) == ["", TOO_LONG, "", "", ""]
    assert "deferred trigger" in world.all(SysAsyncTicket)[1].error
    assert [thing.worked for thing in world.all(Thing)[:4]] == [1, 0, 1, 1]


def test_without_a_server_a_commit_is_cancelled_too(world: World, engine: Engine) -> None:
    defer(engine, "worked")
    ask(world, "work")
    world.run()

    assert beginnings(world, len(TOO_LONG)) == ["", TOO_LONG, "", ""]


def test_a_commit_that_succeeds_although_it_was_cancelled_has_succeeded(world: World, engine: Engine) -> None:
    defer(engine, "worked", SWALLOWS)
    ask(world, "work")
    world.run()
    ask(world, "work")  # on the same connections, which no late cancellation hits
    mend(engine)
    world.run()

    assert beginnings(world, len(TOO_LONG)) == [""] * 8
    assert [thing.worked for thing in world.all(Thing)[:4]] == [2, 2, 2, 2]


def test_a_work_that_never_times_out_commits_for_as_long_as_it_likes(world: World, engine: Engine) -> None:
    defer(engine, "worked", "PERFORM pg_sleep(3)")
    ask(world, "work_for_long")
    world.run()

    assert beginnings(world, len(TOO_LONG)) == [""] * 4


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
