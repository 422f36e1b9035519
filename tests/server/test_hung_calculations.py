"""A calculation that hangs fails alone: it holds up neither caches, timers and tickets nor, on SQLite, writers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

import afterwork as aw
from afterwork.events import Abandoned, Failed, RoundFailed
from tests.server.hanging import HANGING, PLACES, SHORT, Thing, loops, served, waits
from tests.support.waiting import eventually
from tests.support.world import World

PATIENCE = {loops: timedelta(seconds=20), waits: SHORT}
"""What can be interrupted is never abandoned here."""

TOO_LONG = "TimedOut: It ran for longer than its timeout of 1 s"

RIGHT = {"twice": 4, "copied": 2, "state": "high"}

LACKS = {
    "calculation": ["twice"],
    "guard": ["state"],
    "effect": ["state"],
    "view model": ["copied"],
    "on_exception": ["copied"],
    None: [],
}
"""What is not made of a thing whose code hangs there."""


FAILS = ["Thing.twice Thing!1", "Thing.flow Thing!2", "Thing.flow Thing!3", "Copying Thing!4"]

RAISES = "Copying Thing!5"


def things(world: World) -> dict[str | None, Thing]:
    return {thing.place: thing for thing in world.all(Thing)}


def is_right(thing: Thing, but: list[str]) -> bool:
    return all(getattr(thing, name) == value for name, value in RIGHT.items() if name not in but)


def others_go_on(world: World) -> None:
    """Everything that doesn't hang is done: other values of the same thing, other things, timers, and tickets."""
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE thing SET n = 2"))
    eventually(lambda: all(is_right(thing, LACKS[place]) for place, thing in things(world).items()))
    ticks = things(world)[None].ticks
    eventually(lambda: things(world)[None].ticks > ticks)
    with world.session() as session, session.begin():
        aw.later(session.get_one(Thing, len(PLACES)).work)
    eventually(lambda: things(world)[None].worked == 1)


def failures(world: World) -> dict[str, str]:
    return {f"{event.work} {event.root_id}": event.error for event in list(world.seen) if isinstance(event, Failed)}


@pytest.mark.parametrize("how", [loops, waits])
def test_what_hangs_fails_alone_and_is_right_when_it_goes_on(engine: Engine, how: Callable[[], Any]) -> None:
    with served(engine, abandon_after=PATIENCE[how]) as world:
        HANGING.update(dict.fromkeys(filter(None, PLACES), how))
        others_go_on(world)
        eventually(lambda: failures(world).keys() >= {*FAILS, RAISES})
        assert failures(world)[RAISES].startswith("ValueError: which is told")
        assert {failures(world)[name][: len(TOO_LONG)] for name in FAILS} == {TOO_LONG}
        assert not any(is_right(thing, []) for place, thing in things(world).items() if place)
        assert str(things(world)["view model"].told).startswith(TOO_LONG)
        HANGING.clear()
        with world.engine.begin() as connection:
            connection.execute(text("UPDATE thing SET place = NULL"))
        eventually(lambda: all(is_right(thing, []) for thing in world.all(Thing)))


@pytest.mark.parametrize(("place", "how"), [("before", loops), ("criteria", waits)])
def test_a_round_that_hangs_fails_alone(engine: Engine, place: str, how: Callable[[], Any]) -> None:
    def failed() -> list[RoundFailed]:
        return [event for event in list(world.seen) if isinstance(event, RoundFailed)]

    with served(engine, abandon_after=PATIENCE[how]) as world:
        HANGING[place] = how
        eventually(lambda: len(failed()) >= 2)
        others_go_on(world)
        assert {event.timer for event in failed()} == {"AFirst"}
        assert all(event.error.startswith(TOO_LONG) for event in failed())
        assert len([event for event in world.seen if isinstance(event, Abandoned)]) == (how is waits)
