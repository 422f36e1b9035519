"""Timers: "ten minutes have passed; is there a need? Then do it"."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

import afterwork as aw
from afterwork.events import RoundFailed, TimerIsGone
from tests.stories.timers_scene import TEN, every_ten_minutes, undone
from tests.support.office import Office

# When.


def test_a_new_timer_of_a_span_is_due_at_once_and_then_each_time_the_span_has_passed(office: Office) -> None:
    office.timer(root=False, when=aw.Every(minutes=10))
    office.open()

    assert office.matched() == [None]
    assert office.matched(timedelta(minutes=9)) == []
    assert office.matched(timedelta(minutes=1)) == [None]


def test_a_late_round_does_not_delay_the_next(office: Office) -> None:
    office.timer(root=False, when=aw.Every(minutes=10))
    office.open()
    office.run()

    assert office.matched(timedelta(minutes=14)) == [None]
    assert office.matched(timedelta(minutes=6)) == [None]


def test_a_timer_by_cron_is_due_at_its_next_time(office: Office) -> None:
    office.set_clock(datetime(2026, 6, 1, 12, tzinfo=UTC))
    office.timer(root=False, when=aw.Cron("30 14 * * *", tz="Europe/Stockholm"))
    office.open()

    assert office.matched() == []
    assert office.matched(timedelta(minutes=29)) == []
    assert office.matched(timedelta(minutes=1)) == [None]


@pytest.mark.parametrize("evening", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)])
def test_a_nightly_job_runs_once_on_the_nights_on_which_the_clocks_change(office: Office, evening: datetime) -> None:
    office.set_clock(evening)
    office.timer(root=False, when=aw.Cron("30 2 * * *", tz="Europe/Stockholm"))
    office.open()

    assert [office.matched(timedelta(minutes=30)) for _ in range(24)].count([None]) == 1


MISSED: dict[str, int] = {"once": 1, "skip": 0, "each": 3}


@pytest.mark.parametrize("misfire", MISSED)
def test_due_times_at_which_nobody_ran_are_made_up_for_as_the_timer_says(office: Office, misfire: Any) -> None:
    office.timer(root=False, when=aw.Every(minutes=10, misfire=misfire, most_missed=3))
    office.open()
    office.run()

    assert office.matched(timedelta(minutes=65)) == [None] * MISSED[misfire]
    assert office.matched(timedelta(minutes=5)) == [None]


def test_a_timer_that_is_paused_does_not_fire_and_makes_up_for_nothing(office: Office) -> None:
    office.timer("Work", root=False, when=aw.Every(minutes=10, misfire="each"))
    office.open()
    office.run()
    control = office.app.control(office.engine)

    control.pause("Work")
    assert office.matched(timedelta(minutes=35)) == []
    control.resume("Work")
    assert office.matched() == []
    assert office.matched(timedelta(minutes=5)) == [None]


def test_a_clock_that_is_put_back_fires_nothing_twice_and_stops_nothing(office: Office) -> None:
    office.set_clock(datetime(2026, 6, 1, 11, 50, tzinfo=UTC))
    office.timer("Span", root=False, when=aw.Every(minutes=10))
    office.timer("Calendar", root=False, when=aw.Cron("0 12 * * *"))
    office.open()
    office.run()
    office.run(timedelta(minutes=30))

    office.clock.advance(-timedelta(hours=1))
    assert [work for work, _, _ in office.run()] == []
    assert [work for work, _, _ in office.run(TEN)] == ["Span"]
    assert [work for work, _, _ in office.run(timedelta(minutes=30))] == ["Span"]  # 12 o'clock has been
    assert "Calendar" in [work for work, _, _ in office.run(timedelta(days=1))]


def test_a_clock_that_was_a_year_ahead_is_forgotten(office: Office) -> None:
    office.timer("Calendar", root=False, when=aw.Cron("0 12 * * *"))
    office.timer("Span", root=False, when=aw.Every(minutes=10))
    office.open()
    office.run()
    office.run(timedelta(days=365))

    office.clock.advance(-timedelta(days=365))
    office.run()
    assert {work for work, _, _ in office.run(timedelta(days=1))} == {"Calendar", "Span"}


# For what.


def test_a_round_matches_the_objects_of_the_criteria_in_its_order(office: Office) -> None:
    criteria = select(office.task).where(office.task.done == 0).order_by(office.task.id.desc())
    office.timer(when=aw.Every(minutes=10, criteria=criteria))
    office.open(tasks=4)

    assert office.matched() == [4, 3, 2, 1]
    assert office.matched(TEN) == []


def test_matches_beyond_the_bound_come_in_the_next_round(office: Office) -> None:
    office.timer(when=every_ten_minutes(office, max_answers=2))
    office.open(tasks=5)

    assert [office.matched(), office.matched(TEN), office.matched(TEN)] == [[1, 2], [3, 4], [5]]


def test_bad_objects_stop_no_others_and_never_take_their_places(office: Office) -> None:
    told: list[int] = []

    def failed(self: Any, error: Exception) -> None:
        told.append(self.root.id)

    office.timer(when=every_ten_minutes(office, max_answers=2), failed=aw.on_exception(failed))
    office.open(tasks=6, bad=lambda number: number <= 3)

    rounds = [office.matched(), office.matched(TEN), office.matched(TEN), office.matched(TEN)]

    assert rounds == [[1, 2], [3, 4], [5, 6], [1, 2]]
    assert told == [1, 2, 3, 1, 2]


def test_the_id_of_a_run_stays_the_same_until_it_has_ended_well(office: Office) -> None:
    ids: list[object] = []

    def note(self: Any) -> None:
        ids.append(aw.current_run().id)
        if office.clock.now() < turns_well:
            raise ValueError

    office.timer(when=every_ten_minutes(office), work=aw.action(note), lane=None, external=True)
    office.open(tasks=1)
    turns_well = office.clock.now() + timedelta(minutes=15)

    for _ in range(4):
        office.run()
        office.clock.advance(TEN)

    first, second, third, fourth = ids
    assert first == second == third != fourth


def test_an_object_that_waits_for_another_attempt_holds_up_no_round_and_is_not_matched_again(office: Office) -> None:
    office.timer(when=every_ten_minutes(office), retry=aw.Retry(attempts=2, backoff=timedelta(minutes=12)))
    office.open(tasks=2, bad=lambda number: number == 1)

    assert office.matched() == [1, 2]
    office.sql("UPDATE task SET done = 0 WHERE id = 2")
    assert office.matched(TEN) == [2]
    assert office.matched(timedelta(minutes=2)) == [1]


def test_a_criteria_that_fails_is_told_of_and_others_go_on(office: Office) -> None:
    def broken() -> Any:
        raise ZeroDivisionError

    office.timer("Broken", when=aw.Every(minutes=10, criteria=broken))
    office.timer("Sound", root=False, when=aw.Every(minutes=10))
    office.open()

    assert office.run() == [("Sound", None, True)]
    assert [event.timer for event in office.events if isinstance(event, RoundFailed)] == ["Broken"]
    broken_, _ = office.app.insight(office.engine).timers()
    assert str(broken_.error).startswith("ZeroDivisionError")
    assert office.run(timedelta(minutes=9)) == []
    assert office.run(timedelta(minutes=1)) == [("Sound", None, True)]


def test_a_method_has_its_timer_in_its_mark(office: Office) -> None:
    def tidy(self: Any) -> None:
        self.done += 1

    office.task.tidy = aw.method(when=aw.Every(minutes=10, criteria=lambda: undone(office)))(tidy)
    office.open(tasks=2)

    assert office.run() == [("Task.tidy", "Task!1", True), ("Task.tidy", "Task!2", True)]


def test_a_job_without_a_root_has_the_session_of_its_run(office: Office) -> None:
    def add(self: Any) -> None:
        aw.session(self).add(office.task(id=7))

    office.timer(root=False, when=aw.Every(minutes=10), work=aw.action(add), external=True)
    office.open()

    office.run()

    assert office.sql("SELECT id FROM task") == 7


def test_a_criteria_that_joins_counts_objects_and_not_rows(office: Office) -> None:
    other = aliased(office.task)
    criteria = select(office.task).join(other, other.id >= 0).where(office.task.done == 0).order_by(office.task.id)
    office.timer(when=aw.Every(minutes=10, criteria=criteria, max_answers=2))
    office.open(tasks=5, bad=lambda number: number == 1)

    assert [office.matched(), office.matched(TEN), office.matched(TEN)] == [[1, 2], [3, 4], [5, 1]]


def test_of_missed_due_times_a_criteria_that_fails_takes_one_only(office: Office) -> None:
    def broken(given: Any) -> None:
        if office.log == []:
            office.log.append("broken once")
            raise ValueError

    office.timer(root=False, when=aw.Every(minutes=10, misfire="each", before=broken))
    office.open()
    office.run()

    assert office.matched(timedelta(minutes=30)) == [None] * 3


def test_a_timer_that_was_renamed_is_told_of_and_does_not_fire(office: Office) -> None:
    office.timer("Old", root=False, when=aw.Every(minutes=10))
    office.open()
    office.run()
    office.kept[-1].when = None  # type: ignore[attr-defined]
    office.timer("New", root=False, when=aw.Every(minutes=10))

    assert office.run(TEN) == [("New", None, True)]
    assert TimerIsGone("Old") in office.events
    assert [(one.name, one.known) for one in office.app.insight(office.engine).timers()] == [
        ("New", True),
        ("Old", False),
    ]


def test_tickets_and_matches_of_one_lane_both_get_their_turn(office: Office) -> None:
    def tidy(self: Any) -> None: ...

    office.task.tidy = aw.method(tidy)
    office.timer("Work", when=every_ten_minutes(office))
    office.open(tasks=3)
    with Session(office.engine) as session, session.begin():
        for task in session.scalars(select(office.task)):
            aw.later(task.tidy)

    ran = [work for work, _, _ in office.run()]

    assert sorted(ran) == ["Task.tidy"] * 3 + ["Work"] * 3


def test_check_tells_of_timers_that_the_model_does_not_have(office: Office) -> None:
    office.timer("Old", root=False, when=aw.Every(minutes=10))
    office.open()
    office.run()
    office.kept[-1].when = None  # type: ignore[attr-defined]

    (note,) = [one for one in office.app.insight(office.engine).check() if one.what.startswith("timer ")]

    assert (note.what, note.is_fault) == ("timer Old: the model does not have it", False)
    assert "renamed or removed" in note.advice
