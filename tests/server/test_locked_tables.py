"""A lock on a whole table, as a migration takes it, holds up what needs that table, and nothing else."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

import afterwork as aw
from tests.server.hanging import PLACES, Thing, served
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.waiting import eventually
from tests.support.world import World


def thing(world: World) -> Thing:
    found: Thing = world.all(Thing)[-1]
    return found


def caches_go_on(world: World) -> None:
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE thing SET n = n + 1"))
    n = thing(world).n
    eventually(lambda: thing(world).twice == 2 * n)
    eventually(lambda: thing(world).copied == n)


def timers_go_on(world: World) -> None:
    ticks = thing(world).ticks
    eventually(lambda: thing(world).ticks >= ticks + 2)


def tickets_go_on(world: World) -> None:
    worked = thing(world).worked
    with world.session() as session, session.begin():
        aw.later(session.get_one(Thing, len(PLACES)).work)
    eventually(lambda: thing(world).worked == worked + 1)


OTHERS = {
    ("sys_async_ticket", "ACCESS EXCLUSIVE"): [caches_go_on, timers_go_on],  # ALTER TABLE
    ("sys_async_ticket", "EXCLUSIVE"): [caches_go_on, timers_go_on],
    ("sys_async_ticket", "SHARE"): [caches_go_on, timers_go_on],  # CREATE INDEX
    ("afterwork_due", "ACCESS EXCLUSIVE"): [timers_go_on, tickets_go_on],
    ("afterwork_timer", "ACCESS EXCLUSIVE"): [caches_go_on, tickets_go_on],
    ("afterwork_match", "ACCESS EXCLUSIVE"): [caches_go_on, tickets_go_on],
}


@ONLY_POSTGRESQL
@pytest.mark.parametrize(("lock", "others"), OTHERS.items())
def test_the_others_go_on(engine: Engine, lock: tuple[str, str], others: list[Callable[[World], None]]) -> None:
    table, mode = lock
    with served(engine, timeout=None) as world:
        with world.engine.connect() as connection:
            connection.execute(text(f"LOCK TABLE {table} IN {mode} MODE"))
            for go_on in others:
                go_on(world)
        for go_on in (caches_go_on, timers_go_on, tickets_go_on):
            go_on(world)
