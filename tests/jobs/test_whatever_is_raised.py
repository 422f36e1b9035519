"""Wherever an application's code is called: if it hangs there, or whatever it raises, only that one run fails."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

import afterwork as aw
from afterwork.events import ListenerRaised, RoundFailed
from tests.support.hooks import CHANGING, LOADING, OF_ALL, OWN, Hooks, SysAsyncTicket, listening
from tests.support.raising import GENERAL, KINDS, REACHED
from tests.support.world import everything

WORST = ["SystemExit", "CancelledError", "StopIteration", "MuteError"]


IMPATIENT = aw.Settings(timeout=timedelta(seconds=2), abandon_after=timedelta(seconds=0.1))


@pytest.fixture
def hooks(engine: Engine) -> Iterator[Hooks]:
    with listening(engine):
        yield Hooks(engine)


@pytest.fixture
def impatient(engine: Engine) -> Iterator[Hooks]:
    """The same, with short time-outs."""
    with listening(engine):
        yield Hooks(engine, settings=IMPATIENT)


@pytest.mark.parametrize("place", OWN)
def test_whatever_the_code_of_an_object_raises_only_its_own_run_fails(hooks: Hooks, place: str) -> None:
    hooks.ask((None, None), *((place, kind) for kind in WORST), (None, None))
    hooks.run()
    hooks.check()
    assert list(REACHED) == [place]


OF_ONE_WORK = [place for place in OWN if OWN[place] not in (CHANGING, LOADING)]
"""The places that one work reaches. The others, which all works do, hang in `test_hung_loading_and_saving`."""


@pytest.mark.parametrize("how", ["loops", "waits"])
@pytest.mark.parametrize("place", OF_ONE_WORK)
def test_wherever_the_code_of_an_object_hangs_only_its_own_run_fails(impatient: Hooks, place: str, how: str) -> None:
    impatient.ask((None, None), (place, how), (None, None))
    impatient.serve()
    impatient.check()
    assert list(REACHED) == [place]


@pytest.mark.parametrize("place", OF_ALL)
def test_whatever_code_without_an_object_raises_all_objects_have_what_is_due(hooks: Hooks, place: str) -> None:
    GENERAL[place] = "CancelledError"
    hooks.ask((None, None), (None, None))
    hooks.run()
    hooks.check()


def test_the_error_of_a_ticket_says_what_was_raised_and_where(hooks: Hooks) -> None:
    hooks.ask(*(("method", kind) for kind in KINDS))
    hooks.app.run_until_idle(hooks.engine)
    errors = [ticket.error for ticket in everything(hooks.engine, SysAsyncTicket) if ticket.error]
    assert [error.partition(":")[0] for error in errors] == list(KINDS)
    assert all(error.endswith(", in raises)") for error in errors)


def test_a_criteria_that_exits_is_told_of_its_timer(hooks: Hooks) -> None:
    GENERAL["criteria"] = "SystemExit"
    hooks.run()
    told = [event for event in hooks.seen if isinstance(event, RoundFailed)]
    assert {event.timer for event in told} == {"Asks"}
    assert told[0].error.startswith("SystemExit: no configuration")


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "ValueError"])
def test_a_listener_that_raises_goes_on_being_told_and_is_told_of_once(hooks: Hooks, kind: str) -> None:
    GENERAL["listener"] = kind
    hooks.ask((None, None))
    hooks.run()
    hooks.check()
    (told,) = [event for event in hooks.seen if isinstance(event, ListenerRaised)]
    assert (told.listener, type(told.error).__name__) == ("Hooks.listen", kind)
