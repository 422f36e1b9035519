"""Whatever the schedule, and wherever servers die: each due time that the policy says has its run, and one only.

The oracle is that of the plan, which knows nothing of servers. Here they are real, in memory, and die by an exception
that nobody catches, at a point of a round or of a run; the next server comes at the same moment, or at the next look.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import StaticPool, create_engine, select
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Event, Reached
from tests.properties.schedules import HORIZON, START, all_due, crons, expected, policies, spans, timer
from tests.support.death import Death
from tests.support.office import Office, an_office

ROUND = "round of Tick"
POINTS = [("before commit", ROUND), ("after commit", ROUND)]
POINTS += [(point, "Tick") for point in ("claimed", "ran", "before commit", "after commit")]

deaths = st.tuples(st.sampled_from(POINTS), st.sampled_from([1, 1, 1, 2])) | st.none()
"""Where a server dies, if it does: at which point, and at which time it comes there."""

looks = st.lists(st.tuples(st.sampled_from([700, 1, 45, 300, 2000]), deaths), min_size=3, max_size=8)
"""Minutes between one look of a server and the next, and how the server ends that looks then."""


def an_office_with(when: Any, external: bool) -> Office:
    """An office, in memory, whose one timer leaves a row for each due time."""
    office = an_office(create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}))
    office.set_clock(START)

    def tick(self: Any) -> None:
        aw.session(self).add(office.task(id=int(self.due.timestamp())))

    office.timer("Tick", root=False, when=when, work=aw.action(tick), due=aw.variable(), external=external)
    office.open()
    return office


def serve(office: Office, death: tuple[tuple[str, str], int] | None) -> bool:
    """A server runs all that is due. Returns whether it has died."""
    place, time = death or (None, 0)
    reached = 0

    def listen(event: Event) -> None:
        nonlocal reached
        if isinstance(event, Reached) and (event.point, event.work) == place:
            reached += 1
            if reached == time:
                raise Death

    try:
        aw.Afterwork(office.base, clock=office.clock, on_event=listen).run_until_idle(office.engine)
    except Death:
        return True
    return False


def had_runs(office: Office) -> list[datetime]:
    """The due times that have had a run."""
    with Session(office.engine) as session:
        return [datetime.fromtimestamp(id, UTC) for id in session.scalars(select(office.task.id).order_by("id"))]


@settings(max_examples=14, deadline=None, derandomize=True)
@given(schedule=spans | crons, policy=policies, plan=looks, external=st.booleans())
def test_whoever_dies_where_the_due_times_that_have_a_run_are_those_that_the_policy_says(
    schedule: Any, policy: tuple[str, int, int], plan: Any, external: bool
) -> None:
    when = timer(schedule, policy)
    office = an_office_with(when, external)
    first, now, moments = when.first(START), START, []
    serve(office, None)
    for pause, death in plan:
        now += timedelta(minutes=pause)
        if now < START + HORIZON:
            moments.append(now)
            office.set_clock(now)
            if serve(office, death):
                serve(office, None)

    assert had_runs(office) == expected(when, [START, *moments], all_due(when, first))
    assert office.sql("SELECT count(*) FROM afterwork_match WHERE error IS NOT NULL OR done IS NULL") == 0
    office.engine.dispose()


@settings(max_examples=10, deadline=None, derandomize=True)
@given(schedule=spans | crons, policy=policies, plan=looks, external=st.booleans())
def test_where_a_server_died_before_it_had_noted_its_round_it_is_as_if_it_had_not_been_there(
    schedule: Any, policy: tuple[str, int, int], plan: Any, external: bool
) -> None:
    when = timer(schedule, policy)
    office = an_office_with(when, external)
    first, now, moments = when.first(START), START, []
    serve(office, None)
    for pause, death in plan:
        now += timedelta(minutes=pause)
        if now < START + HORIZON:
            office.set_clock(now)
            if not serve(office, death and (("before commit", ROUND), 1)):
                moments.append(now)

    assert had_runs(office) == expected(when, [START, *moments], all_due(when, first))
    office.engine.dispose()
