"""Triggers on the ticket's table that hang or raise where a server ends a ticket: that ticket alone has to wait."""

import pytest
from sqlalchemy import Engine

from afterwork.events import Unwritable
from tests.jobs.slow_scene import (
    FOR_EVER,
    HANGS,
    SysAsyncTicket,
    Thing,
    ask,
    beginnings,
    end_all_that_hangs,
    goes_on,
    is_over,
    mend,
    serving,
    trigger,
    world,
)
from tests.support.waiting import eventually
from tests.support.world import World

__all__ = ["world"]

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

TOO_LONG = "EndTimedOut: Writing its end to the ticket took longer than 2 s and was cancelled"

WORKS = pytest.mark.parametrize("work", ["work", "work_in_parallel", "work_outside"])

AFTER_SUCCESS = "new.root_id = 'Thing!2' AND new.error IS NULL"


def on_end(engine: Engine, does: str, of: str) -> None:
    """Have a trigger do something where a server ends the ticket of the slow thing."""
    trigger(engine, "done, error", does, table="sys_async_ticket", of=of)


@WORKS
def test_only_the_ticket_fails_whose_end_hangs(world: World, engine: Engine, work: str) -> None:
    on_end(engine, HANGS, AFTER_SUCCESS)
    ask(world, work)
    with serving(world):
        goes_on(world)
        eventually(lambda: is_over(world))

    assert beginnings(world, len(TOO_LONG)) == ["", TOO_LONG, "", "", ""]
    assert [thing.worked for thing in world.all(Thing)[:4]] == [1, 0, 1, 1]


@WORKS
@pytest.mark.parametrize("does", [HANGS, "RAISE 'not today'"])
def test_a_ticket_that_can_not_end_holds_up_nobody(world: World, engine: Engine, work: str, does: str) -> None:
    on_end(engine, does, "new.root_id = 'Thing!2'")
    ask(world, work)
    with serving(world):
        goes_on(world)
        eventually(lambda: [thing.worked for thing in world.all(Thing)[:4]] == [1, 0, 1, 1])
        eventually(lambda: [told for told in list(world.seen) if isinstance(told, Unwritable)])

    (told,) = [told for told in world.seen if isinstance(told, Unwritable)]
    assert told.root_id == "Thing!2"
    assert [ticket.done is not None for ticket in world.all(SysAsyncTicket)[:4]] == [True, False, True, True]


def test_without_a_server_only_the_ticket_fails_whose_end_hangs(world: World, engine: Engine) -> None:
    on_end(engine, HANGS, AFTER_SUCCESS)
    ask(world, "work")
    world.run()

    assert beginnings(world, len(TOO_LONG)) == ["", TOO_LONG, "", ""]


def test_an_end_that_can_not_be_cancelled_costs_no_worker(world: World, engine: Engine) -> None:
    """PostgreSQL goes on with it, so its lane stays taken; but its connection is given up."""
    on_end(engine, FOR_EVER, "new.root_id = 'Thing!2'")
    ask(world, "work")
    with serving(world):
        goes_on(world)
        mend(engine)
        end_all_that_hangs(engine)
        eventually(lambda: is_over(world))

    assert [thing.worked for thing in world.all(Thing)[:4]] == [1, 1, 1, 1]
