"""Lanes with a rate: how many runs begin in any span, over all servers."""

import json
import threading
from contextlib import closing
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from afterwork.model.lane import Rate
from afterwork.store import lane_rate
from afterwork.store.dialects import database_of
from tests.server.limits_scene import MINUTE, TRIES, Base, Letter, Office, ask, connection, office, sent, world
from tests.support.waiting import eventually
from tests.support.world import World

__all__ = ["connection", "office", "world"]


@pytest.mark.parametrize("work", ["sms", "sms_inside"])
def test_no_more_begin_in_a_span_than_the_rate_says(world: World, work: str) -> None:
    ask(world, work, 5)

    assert [len(world.run()), len(world.run())] == [2, 0]
    world.clock.advance(MINUTE - timedelta(microseconds=1))
    assert len(world.run()) == 0
    world.clock.advance(timedelta(microseconds=1))
    assert [len(world.run()), len(world.run())] == [2, 0]
    world.clock.advance(MINUTE)
    assert [len(world.run()), sent(world)] == [1, 5]


def test_the_next_moment_to_look_is_known(world: World, connection: Connection) -> None:
    ask(world, "sms", 3)
    world.run()
    runner = world.app.runner(database_of(world.engine, world.settings), connection)
    runner.limits.refresh(connection)

    due = runner.due(connection)
    assert (due.workloads, due.next_due) == ({}, world.clock.now() + MINUTE)
    world.clock.advance(MINUTE)
    assert [*runner.due(connection).workloads] == ["sms"]


def test_a_run_that_fails_counts_and_one_that_does_not_begin_does_not(world: World, office: Office) -> None:
    ask(world, "fail", 1)
    ask(world, "sms", 2, not_after=world.clock.now() - timedelta(hours=1))
    ask(world, "sms", 2)

    world.run()

    assert TRIES == [1]
    assert sent(world) == 1
    assert [letter.sent for letter in world.all(Letter)] == [False, False, False, True, False]


def test_a_lane_may_have_both(world: World, office: Office) -> None:
    ask(world, "both", 5)
    with world.app.serving(world.engine):
        eventually(lambda: office.now == 2)
        office.gate.set()
        eventually(lambda: sent(world) == 3)
        assert world.app.insight(world.engine).lane("both").free_from is not None

    assert (office.most, office.visits) == (2, 3)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_who_waits_for_another_server_begins_no_earlier_than_after_that(world: World, connection: Connection) -> None:
    ask(world, "sms", 1)
    world.run()
    database, began = database_of(world.engine, world.settings), []

    def take() -> None:
        with closing(database.connect()) as mine:
            began.append(lane_rate.take(database, mine, "sms", world.clock))

    waiting = threading.Thread(target=take)
    with database.transaction(connection):
        connection.execute(text("SELECT FROM afterwork_lane_rate WHERE lane = 'sms' FOR UPDATE"))
        waiting.start()
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        eventually(lambda: connection.execute(text(blocked)).scalar())
        world.clock.advance(MINUTE / 2)
    waiting.join()

    assert began == [True]
    starts = json.loads(
        connection.execute(text("SELECT starts FROM afterwork_lane_rate WHERE lane = 'sms'")).scalar_one()
    )
    assert starts[1][0] - starts[0][0] == MINUTE / timedelta(microseconds=1) / 2


def test_a_rate_holds_over_all_servers(world: World) -> None:
    ask(world, "sms", 5)
    other = World(world.engine, Base, clock=world.clock, settings=world.settings)
    with world.app.serving(world.engine), other.app.serving(world.engine):
        eventually(lambda: sent(world) == 2)
        eventually(lambda: world.app.health(world.engine).ready and other.app.health(world.engine).ready)
        ask(world, "sms", 3)

    assert sent(world) == 2
    world.clock.advance(MINUTE)
    assert [len(world.run()), len(other.run())] == [2, 0]


@given(
    st.lists(st.integers(0, 2_000), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(1, 500),
    st.integers(2, 100),
)
@settings(max_examples=60, deadline=None)
def test_in_any_span_of_the_length_no_more_begin(steps: list[int], most: int, per: int, noted: int) -> None:
    """By the log alone, which knows no database: what is noted apart, or together, never lets more begin."""
    rate, moment = Rate(most, timedelta(microseconds=per)), 0
    began: list[int] = []
    starts: lane_rate.CountedStarts = []
    before, lane_rate.MAX_STARTS_NOTED = lane_rate.MAX_STARTS_NOTED, noted
    try:
        for step in steps:
            moment += step
            starts = lane_rate._recent(json.dumps(starts), rate, moment)
            if sum(count for _, count in starts) < most:
                starts = lane_rate._joined([*starts, (moment, 1)])
                began.append(moment)
    finally:
        lane_rate.MAX_STARTS_NOTED = before

    for first in began:
        assert sum(first <= other < first + per for other in began) <= most
    if noted > most:  # and whoever may begin does
        assert began[0] == steps[0]
