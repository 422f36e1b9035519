"""A job that fails costs the others of its batch little."""

from typing import cast

import pytest
from sqlalchemy import Engine

import afterwork as aw
from afterwork.jobs import in_transaction
from afterwork.jobs.attempts import Settled
from afterwork.jobs.batch import BatchSize, CommittedBatch
from afterwork.jobs.run import Succeeded
from tests.jobs.batch_scene import Base, SysAsyncTicket, Thing, ask, batches, world
from tests.support.world import World, errors, statements

__all__ = ["world"]

MANY = 300


@pytest.mark.parametrize("place", [0, 1, 149, 298, 299])
@pytest.mark.parametrize("name", ["fail", "break_at_flush", "break_at_commit"])
def test_one_that_fails_among_many_costs_a_few_batches_more(world: World, name: str, place: int) -> None:
    if name == "break_at_commit" and world.engine.dialect.name == "sqlite":
        pytest.skip("foreign keys are not checked there")
    ask(world, *(name if number == place else "work" for number in range(MANY)))
    world.run()

    assert [number for number, error in enumerate(errors(world.engine, SysAsyncTicket)) if error] == [place]
    assert batches(world) <= 30
    assert len(Thing.calls) <= 4 * MANY


def test_all_that_fail_cost_two_runs_each(world: World) -> None:
    ask(world, *["fail"] * 50)
    world.run()

    assert all(errors(world.engine, SysAsyncTicket))
    assert len(Thing.calls) <= 2 * 50


def test_a_batch_whose_time_is_over_takes_no_further_ticket(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_transaction, "BATCH_SECONDS", 0.0)
    ask(world, *["work"] * 5)
    world.run()

    assert len(Thing.calls) == 5
    assert batches(world) == 5


def test_tickets_that_stand_in_a_wrong_lane_are_moved_some_at_a_time(engine: Engine) -> None:
    world = World(engine, Base, settings=aw.Settings(batch=10))
    ask(world, "work")
    with world.session() as session, session.begin():
        session.add_all(SysAsyncTicket(view_model="Thing.aside", root_id="Thing!1") for _ in range(35))

    with statements(world.engine) as sent:
        assert [ended.run.lane for ended in world.run()] == ["main"] + ["aside"] * 35
    moves = [one for one in sent if one.startswith("UPDATE sys_async_ticket SET lane")]
    assert len(moves) == 4


def test_a_batch_takes_as_many_as_fit_into_its_time() -> None:
    """Others are claimed in vain, and their roots loaded."""
    size, done = BatchSize.of(300), cast("Settled", [(None, Succeeded())] * 100)
    size.note(CommittedBatch(done, more=True, full=False))
    assert size.next == 100
    sizes = [size.note(CommittedBatch(done, more=True)).next for _ in range(7)]
    assert sizes == [126, 158, 198, 248, 300, 300, 300]
    assert size.is_usual
