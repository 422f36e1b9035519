"""Timers by hand: what a round would match, a round now, and the end of one."""

from datetime import timedelta

import pytest

import afterwork as aw
from afterwork.errors import BadRequest
from afterwork.store.timers import Cancellation
from tests.stories.timers_scene import TEN, every_ten_minutes
from tests.support.office import Office


def test_a_dry_run_says_what_would_match_and_changes_nothing(office: Office) -> None:
    office.timer("Work", when=every_ten_minutes(office, max_answers=2))
    office.open(tasks=3)

    assert office.app.control(office.engine).dry_run("Work") == ["Task!1", "Task!2"]
    assert office.sql("SELECT count(*) FROM afterwork_match") == office.sql("SELECT count(*) FROM afterwork_timer") == 0


def test_a_round_can_be_had_now_and_leaves_the_due_times_as_they_are(office: Office) -> None:
    office.timer("Work", when=every_ten_minutes(office, max_answers=1))
    office.open(tasks=3)
    office.run()
    office.clock.advance(timedelta(minutes=5))

    assert office.app.run_now(office.engine, "Work") == 1
    assert office.app.run_now(office.engine, "Work") == 1  # what is to run already is left out
    assert sorted(office.matched()) == [2, 3]  # type: ignore[type-var]
    assert [office.matched(timedelta(minutes=4)), office.matched(timedelta(minutes=1))] == [[], []]


@pytest.mark.parametrize("act", ["run_now", "pause and resume"])
def test_what_is_done_by_hand_hides_no_clock_that_was_put_back(office: Office, act: str) -> None:
    office.timer("Work", root=False, when=aw.Every(minutes=10))
    office.open()
    office.clock.advance(timedelta(days=365))
    office.run()
    office.clock.advance(-timedelta(days=365))

    if act == "run_now":
        office.app.run_now(office.engine, "Work")
    else:
        office.app.control(office.engine).pause("Work")
        office.app.control(office.engine).resume("Work")
    office.run()

    assert office.matched(TEN) == [None]


def test_what_is_left_of_a_round_can_be_cancelled(office: Office) -> None:
    office.timer("Work", when=every_ten_minutes(office))
    office.open(tasks=3)
    office.app.run_now(office.engine, "Work")

    assert office.app.control(office.engine).cancel("Work") == Cancellation(3, 0)
    office.sql("UPDATE afterwork_timer SET paused = true")
    assert office.run() == []


def test_an_unknown_timer_is_refused_by_name(office: Office) -> None:
    office.timer("Work", root=False, when=aw.Every(minutes=10))
    office.open()

    with pytest.raises(BadRequest, match=r"no timer 'Wrok'\. It has: Work"):
        office.app.run_now(office.engine, "Wrok")
