"""A call for many that goes wrong is undone, and its tickets are run one by one: only what is wrong fails."""

import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import text

import afterwork as aw
from afterwork.events import Abandoned, ManyFailed
from afterwork.model.lane import PARALLEL
from afterwork.store import suspects
from afterwork.store.dialects import database_of
from tests.jobs.batch_scene import batches
from tests.jobs.many_scene import Customer, SysAsyncTicket, ask, numbers, some, world
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.waiting import eventually
from tests.support.world import World, errors

__all__ = ["world"]

ONE_BY_ONE = [[number] for number in range(2, 12)]


@pytest.mark.parametrize("fault", ["raises", "exits", "breaks a row", "breaks the commit"])
@pytest.mark.parametrize("place", [0, 3, 9])
def test_one_that_is_at_fault_fails_alone(world: World, fault: str, place: int) -> None:
    if fault == "breaks the commit" and world.engine.dialect.name == "sqlite":
        pytest.skip("foreign keys are not checked there")
    ask(world, *(Customer(fault=fault if number == place else "") for number in range(10)))

    world.run()

    assert Customer.calls[0] == [*range(2, 12)]
    assert all(len(call) == 1 for call in Customer.calls[1:])
    assert [number for number, error in enumerate(errors(world.engine, SysAsyncTicket)) if error] == [place]
    assert numbers(world) == [*range(2, 2 + place), None, *range(2 + place, 11)]


def _always_fails(customers: Sequence[Customer]) -> None:
    if len(customers) > 1:
        raise RuntimeError("not for many")


def test_a_function_that_always_fails_costs_one_transaction_for_each_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Customer, "act", staticmethod(_always_fails))
    ask(world, *some(10))

    world.run()

    assert Customer.calls == [[*range(2, 12)], *ONE_BY_ONE]
    assert batches(world) == 2
    (told,) = [event for event in world.seen if isinstance(event, ManyFailed)]
    assert (told.work, told.count) == ("Customer.assign_number", 10)
    assert "RuntimeError: not for many" in told.error


def test_those_that_come_later_are_taken_together_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(Customer, "act", staticmethod(_always_fails))
        ask(world, *some(2))
        world.run()
    Customer.calls.clear()
    ask(world, *some(2))

    world.run()

    assert Customer.calls == [[4, 5]]


def test_a_later_attempt_is_made_by_itself(world: World) -> None:
    ask(world, Customer(fault="raises"), Customer(), work="try_again")
    world.run()
    with world.session() as session, session.begin():
        session.get_one(Customer, 2).fault = ""
    ask(world, *some(2), work="try_again", execute_earliest=world.clock.now() + timedelta(seconds=10))
    Customer.calls.clear()
    world.clock.advance(timedelta(seconds=10))

    world.run()

    assert sorted(Customer.calls) == [[2], [4, 5]]


def test_a_call_that_hangs_leaves_its_time_to_each_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(customers: Sequence[Customer]) -> None:
        while len(customers) > 1:
            pass

    monkeypatch.setattr(Customer.assign_number, "timeout", timedelta(seconds=0.2))
    monkeypatch.setattr(Customer, "act", staticmethod(hang))
    ask(world, *some(3))

    world.run()

    assert Customer.calls == [[2, 3, 4], [2], [3], [4]]
    assert numbers(world) == [2, 3, 4]


@ONLY_POSTGRESQL
def test_one_whose_row_somebody_has_locked_is_deferred_and_the_others_run(world: World) -> None:
    ask(world, *some(4))

    with world.engine.begin() as other:
        other.execute(text("SELECT * FROM customer WHERE id = 3 FOR UPDATE"))
        world.run()

        assert numbers(world) == [2, None, 3, 4]
    assert not [event for event in world.seen if isinstance(event, ManyFailed)]


def test_in_quarantine_each_is_run_by_itself(world: World) -> None:
    database = database_of(world.engine, world.settings)
    with closing(database.connect()) as connection, database.transaction(connection):
        suspects.start_quarantine(database, connection)
    ask(world, *some(10))

    world.run()

    assert Customer.calls == ONE_BY_ONE


@pytest.mark.parametrize("lane", [PARALLEL, "limited"])
def test_where_each_job_is_claimed_by_itself_it_is_run_by_itself(world: World, lane: str) -> None:
    limited = aw.Lane("limited", limit=2)
    app = aw.Afterwork(world.base, clock=world.clock, lanes=[limited])
    ask(world, *some(10), lane=lane)

    app.run_until_idle(world.engine)

    assert Customer.calls == ONE_BY_ONE


def test_a_call_that_hears_of_nothing_is_abandoned_and_its_runs_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def wait(customers: Sequence[Customer]) -> None:
        if len(customers) > 1:
            gate.wait(60)

    monkeypatch.setattr(Customer.assign_number, "timeout", timedelta(seconds=0.2))
    monkeypatch.setattr(Customer, "act", staticmethod(wait))
    ask(world, *some(3))
    world.app.settings = aw.Settings(abandon_after=timedelta(seconds=0.2))

    with world.app.serving(world.engine):
        try:
            eventually(lambda: numbers(world) == [2, 3, 4])
        finally:
            gate.set()

    assert [type(event) for event in world.seen if isinstance(event, Abandoned | ManyFailed)] == [Abandoned]
    assert errors(world.engine, SysAsyncTicket) == [None] * 3
