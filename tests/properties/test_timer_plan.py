"""Whatever the schedule, the outages and the pauses: the due times that fire are exactly those that the policy says.

The oracle lists all due times and decides for each look which ones fire; it shares nothing with the plan.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import afterwork as aw
from afterwork.sources.timer.due_times import plan, resumed

START = datetime(2026, 3, 27, 23, 59, 30, tzinfo=UTC)
HORIZON = timedelta(days=5)

spans = st.integers(7, 600).map(lambda minutes: {"span": timedelta(minutes=minutes)})
crons = st.sampled_from(["*/7 * * * *", "0 3 * * *", "30 2 * * *", "15 */5 * * mon-fri", "0 0 28,29 3 *"])
policies = st.tuples(st.sampled_from(["once", "skip", "each"]), st.integers(1, 4), st.integers(0, 90))
looks = st.lists(st.integers(1, 900), min_size=1, max_size=40)
"""Minutes between one look of a server and the next: short ones while it is there, long ones while none is."""


def all_due(when: Any, first: datetime) -> list[datetime]:
    """All due times, one after the other."""
    found = [first]
    while found[-1] < START + HORIZON:
        found.append(when.after(found[-1], found[-1]))
    return found


def timer(schedule: Any, policy: tuple[str, int, int]) -> Any:
    misfire, most, late = policy
    more: Any = {"misfire": misfire, "most_missed": most, "late": timedelta(minutes=late)}
    return (
        aw.Cron(schedule, tz="Europe/Stockholm", **more)
        if isinstance(schedule, str)
        else aw.Every(schedule["span"], **more)
    )


def fired(when: Any, moments: list[datetime], due: datetime) -> list[datetime]:
    """What fires, by the plan, at these looks. A look goes on until nothing is due, as a server does."""
    found, set_at, last = [], START, None
    for now in moments:
        while due <= now:
            planned = plan(when, due, set_at, last, now)
            if planned.fire is not None:
                found.append(planned.fire)
                last = planned.fire
            due, set_at = planned.due, now
    return found


def expected(when: Any, moments: list[datetime], every: list[datetime]) -> list[datetime]:
    """What should: of the due times between one look and the next, the last, none, or the last few."""
    found: list[datetime] = []
    before = START - timedelta(days=1)
    for now in moments:
        passed = [due for due in every if before < due <= now]
        before = now
        match when.misfire:
            case "once":
                found += passed[-1:]
            case "skip":
                found += [due for due in passed[-1:] if now - due <= when.late]
            case _:
                found += passed[-when.most_missed :]
    return found


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
