"""A batch is in nobody's way, nor is anybody in its way who has rows locked. (On SQLite there is one lock for all.)"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select, text, update

from afterwork.jobs import deferred
from afterwork.server.until_idle import run_until_idle
from afterwork.store.dialects import database_of
from tests.jobs.batch_scene import SysAsyncTicket, Thing, ask, world
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.world import World, errors, everything, works

__all__ = ["world"]


@contextmanager
def locked(world: World, *things: int) -> Iterator[None]:
    """A user has rows locked."""
    with world.engine.connect() as user:
        user.execute(select(Thing).where(Thing.id.in_(things)).with_for_update())
        yield
        user.rollback()


@ONLY_POSTGRESQL
def test_a_row_that_a_user_has_locked_puts_only_its_own_ticket_aside(world: World) -> None:
    ask(world, *["work"] * 20)
    with locked(world, 8):
        ran = works(world.run())

    assert [number for number, thing in enumerate(world.all(Thing)) if thing.n == 0] == [0, 7]
    assert len([root for _, root in ran if root != "Thing!8"]) == 19
    assert errors(world.engine, SysAsyncTicket) == [None] * 20

    world.clock.advance(deferred.FIRST)
    world.run()
    assert [thing.n for thing in world.all(Thing)][7] == 1


@ONLY_POSTGRESQL
@pytest.mark.parametrize("lane", ["main", "parallel"])
@pytest.mark.parametrize("of_first", [1, 3])
def test_tickets_that_a_user_has_locked_hold_up_none_behind_them(world: World, of_first: int, lane: str) -> None:
    """Whatever their priority: the rest of the lane goes on, and these follow when the user lets them go."""
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


@ONLY_POSTGRESQL
def test_the_pause_of_a_ticket_that_is_put_aside_grows(world: World) -> None:
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


@ONLY_POSTGRESQL
def test_it_is_the_batch_that_gives_way_to_a_user(world: World) -> None:
    """It waits for less than PostgreSQL takes to look for a deadlock, of which the user's transaction might be the
    victim."""
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
