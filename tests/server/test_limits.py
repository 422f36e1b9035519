"""Lanes with a limit above one, over all servers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, select

import afterwork as aw
from afterwork.errors import BadDeclaration, ModelError
from afterwork.jobs.leased import begin
from afterwork.model.lane import Rate
from afterwork.store import leases
from afterwork.store.database import Database
from afterwork.store.dialects import database_of
from afterwork.store.tables import lane as lanes
from afterwork.store.tables import slot as slots
from tests.server.limits_scene import (
    MINUTE,
    OFFICE,
    Base,
    Letter,
    Office,
    SysAsyncTicket,
    ask,
    connection,
    declared,
    office,
    sent,
    world,
)
from tests.support.waiting import eventually
from tests.support.world import World

__all__ = ["connection", "office", "world"]


# Limits.


@pytest.mark.parametrize("servers", [1, 2])
def test_as_many_run_at_a_time_as_the_limit_says_over_all_servers(world: World, office: Office, servers: int) -> None:
    ask(world, "mail", 8)
    other = World(world.engine, Base, settings=world.settings)
    with world.app.serving(world.engine):
        if servers == 2:
            with other.app.serving(world.engine):
                eventually(lambda: office.now == 3)
                office.gate.set()
                eventually(lambda: sent(world) == 8)
        else:
            eventually(lambda: office.now == 3)
            office.gate.set()
            eventually(lambda: sent(world) == 8)

    assert office.most == 3
    with world.engine.connect() as connection:
        assert not connection.execute(select(slots.c.lease).where(slots.c.lease.is_not(None))).all()


def test_runs_inside_of_a_limited_lane_run_beside_each_other(world: World, office: Office) -> None:
    ask(world, "mail_inside", 5)
    most = 1 if world.engine.dialect.name == "sqlite" else 3  # a file has one writer
    with world.app.serving(world.engine):
        eventually(lambda: office.now == most)
        office.gate.set()
        eventually(lambda: sent(world) == 5)

    assert office.most == most


def test_a_slot_is_had_once_whoever_asks(world: World) -> None:
    """All ways to have a lane count: claims, locks and leases; and no other lane is touched."""
    database = database_of(world.engine, world.settings)
    world.run()
    ask(world, "mail", 9)
    if database.has_one_writer:
        pytest.skip("one transaction writes at a time")
    with world.engine.connect() as connection:
        runner = world.app.runner(database, connection)
        runner.limits.declare(database, connection)
    connections = [database.connect() for _ in range(5)]
    try:
        for connection in connections:
            database.execute_begin(connection)
        had = [leases.lock_lane(connection, "mail") for connection in connections[:2]]
        claims = [
            len(runner.job_source.claim(connection, "mail", None, world.clock.now(), 1).claims)
            for connection in connections[2:]
        ]
        assert (had, claims) == ([True, True], [1, 0, 0])
        assert leases.lock_lane(connections[4], "main")
    finally:
        for connection in connections:
            database.give_up(connection)
            connection.close()


def test_a_ticket_that_another_server_has_just_begun_is_left_to_it(
    world: World, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease may be there by then, though the statement that has claimed the ticket doesn't see it."""
    ask(world, "mail")
    database = database_of(world.engine, world.settings)
    runner = world.app.runner(database, connection)
    runner.limits.declare(database, connection)
    with database.transaction(connection):
        (claim,) = runner.job_source.claim(connection, "mail", None, world.clock.now(), 1).claims
    monkeypatch.setattr(type(runner.job_source), "claim_again", lambda *_: claim)
    lease = leases.Lease("one", str(claim.key), "mail", 1, epoch=1)

    assert begin(runner, connection, claim, lease)
    assert not begin(runner, connection, claim, replace(lease, run="other"))
    assert connection.execute(select(slots.c.lease).where(slots.c.lease.is_not(None))).scalars().all() == ["one"]


def test_a_run_that_begins_while_its_lane_is_paused_has_its_slot(world: World, connection: Connection) -> None:
    database = declared(world, connection, 2)
    with database.transaction(connection):
        assert leases.lock_lane(connection, "x")
        leases.pause(connection, "x", True)
        leases.take(database, connection, leases.Lease("run", "t", "x", 1, 1))

    assert connection.execute(select(slots.c.lease).where(slots.c.lease.is_not(None))).scalars().all() == ["run"]


def test_a_paused_lane_has_no_slots(world: World) -> None:
    ask(world, "mail", 2)
    OFFICE.gate.set()
    world.app.control(world.engine).pause_lane("mail")
    assert world.run() == []
    world.app.control(world.engine).resume_lane("mail")
    assert len(world.run()) == 2


def how_many(world: World, database: Database) -> int:
    """How many can have the lane at the same time."""
    if database.has_one_writer:
        return len(slots_of(world))
    connections = [database.connect() for _ in range(8)]
    try:
        count = 0
        for connection in connections:
            database.execute_begin(connection)
            count += leases.lock_lane(connection, "x")
        return count
    finally:
        for connection in connections:
            database.give_up(connection)
            connection.close()


def slots_of(world: World) -> list[int]:
    with world.engine.connect() as connection:
        found = connection.execute(select(lanes.c.slots).where(lanes.c.name == "x")).scalar()
        return list(range(found or 1))


def test_whoever_was_started_last_declares_how_many_run(world: World, connection: Connection) -> None:
    leases.ensure_lanes(connection, ["x"])
    for limit in (None, 3, 5, 2, 1, 4, None, 2):
        database = declared(world, connection, limit)
        assert how_many(world, database) == (limit or 1)


def test_a_limit_that_was_lowered_holds_for_what_runs_already(world: World, connection: Connection) -> None:
    """Leases of slots which there are no more count: nothing begins before they have ended."""
    database = declared(world, connection, 3)
    own = [leases.Lease(f"run {number}", f"t{number}", "x", 1, 1) for number in range(3)]
    for lease in own:
        with database.transaction(connection):
            assert leases.lock_lane(connection, "x")
            leases.take(database, connection, lease)
    declared(world, connection, 1)
    for lease in own:
        with database.transaction(connection):
            assert not leases.lock_lane(connection, "x")
            leases.release(connection, lease)
    with database.transaction(connection):
        assert leases.lock_lane(connection, "x")


def test_a_run_that_had_the_lane_alone_counts_when_the_limit_is_raised(world: World, connection: Connection) -> None:
    database = declared(world, connection, None)
    leases.ensure_lanes(connection, ["x"])
    alone = leases.Lease("run", "t", "x", 1, 1)
    with database.transaction(connection):
        leases.take(database, connection, alone)
    declared(world, connection, 3)
    with database.transaction(connection):
        assert not leases.lock_lane(connection, "x")
        leases.release(connection, alone)
    assert how_many(world, database) == 3


def test_a_server_that_knows_of_no_rule_can_not_have_the_lane(world: World, connection: Connection) -> None:
    declared(world, connection, 1, Rate(1, MINUTE))
    with world.session() as session, session.begin():
        letter = Letter()
        session.add(letter)
        aw.later(letter.sms_inside, lane="x")
    runner = world.app.runner(database_of(world.engine, world.settings), connection)

    assert runner.job_source.claim(connection, "x", None, world.clock.now(), 1).claims == []
    runner.limits.refresh(connection)
    assert len(runner.job_source.claim(connection, "x", None, world.clock.now(), 1).claims) == 1
    connection.rollback()


# Declarations.


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: aw.Lane(""), "needs a name"),
        (lambda: aw.Lane("parallel", limit=2), "for running in parallel"),
        (lambda: aw.Lane("mail", limit=0), "its limit is 0"),
        (lambda: aw.Lane("mail", limit=True), "its limit is True"),
        (lambda: aw.Lane("mail", rate=0, per=MINUTE), "its rate is 0"),
        (lambda: aw.Lane("mail", rate=5), "belong together"),
        (lambda: aw.Lane("mail", per=MINUTE), "belong together"),
        (lambda: aw.Lane("mail", rate=5, per=timedelta(0)), "its per is"),
        (lambda: aw.Lane("mail", rate=5, per=60), "its per is 60"),  # type: ignore[arg-type]
        (lambda: aw.Afterwork(Base, lanes=["mail"]), "give lanes"),  # type: ignore[list-item]
        (lambda: aw.Afterwork(Base, lanes=[aw.Lane("a"), aw.Lane("a", limit=2)]), "declared twice"),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Callable[[], object], problem: str) -> None:
    with pytest.raises(BadDeclaration, match=problem):
        make()


def test_two_lanes_of_a_name_that_differ_are_refused_when_the_model_is_read() -> None:
    app = aw.Afterwork(Base, lanes=[aw.Lane("mail", limit=7)])
    with pytest.raises(ModelError, match="The lane 'mail' is declared twice"):
        _ = app.model


def test_a_lane_that_works_name_by_its_name_is_declared_beside_them(engine: Engine) -> None:
    app = aw.Afterwork(Base, lanes=[aw.Lane("x", limit=2)])
    assert {name: lane.limit for name, lane in app.model.lanes.items()} == {"mail": 3, "sms": 1, "both": 2, "x": 2}


# What an operator sees.


def test_limits_and_rates_are_shown(world: World) -> None:
    ask(world, "sms", 4)
    world.run()

    insight = world.app.insight(world.engine)
    found = {one.name: one for one in insight.activity().lanes}
    assert (found["mail"].limit, found["mail"].rate) == (3, None)
    assert (found["sms"].limit, found["sms"].rate) == (1, Rate(2, MINUTE))
    assert found["sms"].free_from == world.clock.now() + MINUTE
    assert found["main"].limit == 1
    key = world.all(SysAsyncTicket)[3].id
    assert any("rate of its lane sms" in why for why in insight.ticket(str(key)).waits)
    assert insight.status().used_up == {"sms": world.clock.now() + MINUTE}
