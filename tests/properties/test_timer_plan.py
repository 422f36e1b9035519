"""Whatever the schedule, the outages and the pauses: the due times that fire are exactly those that the policy says.

The oracle lists all due times and decides for each look which ones fire; it shares nothing with the plan.
"""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from afterwork.sources.timer.due_times import plan, resumed
from tests.properties.schedules import HORIZON, START, all_due, crons, expected, looks, policies, spans, timer


def fired(when: Any, moments: list[datetime], due: datetime) -> list[datetime]:
    """What fires, by the plan, at these looks. A look goes on until nothing is due, as a server does."""
    fired, set_at, last = [], START, None
    for now in moments:
        while due <= now:
            planned = plan(when, due, set_at, last, now)
            if planned.fire is not None:
                fired.append(planned.fire)
                last = planned.fire
            due, set_at = planned.due, now
    return fired


@settings(max_examples=300, deadline=None, derandomize=True)
@given(schedule=spans | crons, policy=policies, pauses=looks)
def test_what_fires_is_exactly_what_the_policy_says(schedule: Any, policy: tuple[str, int, int], pauses: Any) -> None:
    when = timer(schedule, policy)
    moments, now = [], START
    for pause in pauses:
        now += timedelta(minutes=pause)
        if now < START + HORIZON:
            moments.append(now)
    first = when.first(START)

    found = fired(when, moments, first)

    assert found == expected(when, moments, all_due(when, first))
    assert len(found) == len(set(found))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(schedule=spans | crons, jumps=st.lists(st.integers(-700, 900), min_size=1, max_size=25))
def test_a_clock_that_jumps_fires_no_due_time_of_a_calendar_twice_and_stops_no_timer(
    schedule: Any, jumps: list[int]
) -> None:
    when = timer(schedule, ("once", 1, 0))
    due, set_at, last, now, found = when.first(START), START, None, START, []
    for jump in jumps:
        now += timedelta(minutes=jump)
        planned = plan(when, due, set_at, last, now)
        if planned.fire is not None:
            found.append(planned.fire)
            last = planned.fire
        if planned.fire is not None or planned.due != due:
            due, set_at = planned.due, now

    if isinstance(schedule, str) and all(jump > -60 * 12 for jump in jumps):
        assert len(found) == len(set(found))
    farthest = max(now, last or now)
    planned = plan(when, due, set_at, last, farthest + timedelta(days=3))
    assert planned.fire is not None or isinstance(schedule, str)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(schedule=spans | crons, minutes=st.integers(0, 5000))
def test_after_a_pause_a_timer_is_due_at_its_next_time(schedule: Any, minutes: int) -> None:
    when = timer(schedule, ("each", 4, 0))
    first, now = when.first(START), START + timedelta(minutes=minutes)

    due = resumed(when, first, START, None, now)

    assert due == next(moment for moment in all_due(when, first) if moment > now or (moment == first and first > now))
