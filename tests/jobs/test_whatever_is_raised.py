"""Whatever an application's code raises, wherever it is called, fails that one run and nothing else."""

import pytest
from sqlalchemy import Engine

from afterwork.events import ListenerRaised, RoundFailed
from tests.support.hooks import GENERAL, KINDS, OF_ALL, OWN, Hooks, SysAsyncTicket
from tests.support.world import everything

WORST = ["SystemExit", "CancelledError", "StopIteration", "MuteError"]


@pytest.fixture
def hooks(engine: Engine) -> Hooks:
    return Hooks(engine)


@pytest.mark.parametrize("place", OWN)
def test_whatever_the_code_of_an_object_raises_only_its_own_run_fails(hooks: Hooks, place: str) -> None:
    hooks.ask((None, None), *((place, kind) for kind in WORST), (None, None))
    hooks.run()
    hooks.check()


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
