"""Flows: tickets that wait for others, and what becomes of them when these end, one way or another."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.model.flow import IfFailed
from afterwork.store import tables
from tests.support.flows import Base, SysAsyncTicket, marks, piece
from tests.support.world import World, errors, everything


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


def done(world: World) -> list[str]:
    with world.session() as session:
        return marks(session)


def test_what_waits_runs_once_all_have_ended(world: World) -> None:
    with world.session() as session, session.begin():
        join = piece(session, "join")
        aw.after([aw.later(piece(session, name).do) for name in ("a", "b")], join.do_left)

    world.run()

    assert done(world) == ["a", "b", "join"]


def test_it_does_not_run_before(world: World) -> None:
    with world.session() as session, session.begin():
        late = aw.later(piece(session, "late").do, after=timedelta(hours=1))
        aw.after([aw.later(piece(session, "a").do), late], piece(session, "join").do)

    world.run()
    before = done(world)
    world.clock.advance(timedelta(hours=2))
    world.run()

    assert (before, done(world)) == (["a"], ["a", "late", "join"])


def test_it_does_not_run_before_its_own_time(world: World) -> None:
    own_time = world.clock.now() + timedelta(hours=1)
    with world.session() as session, session.begin():
        aw.after([aw.later(piece(session, "a").do)], piece(session, "join").do, at=own_time)

    world.run()
    before = done(world)
    world.clock.advance(timedelta(hours=2))
    world.run()

    assert (before, done(world)) == (["a"], ["a", "join"])


def test_without_anything_to_wait_for_it_is_due(world: World) -> None:
    with world.session() as session, session.begin():
        aw.after([], piece(session, "join").do)

    world.run()

    assert done(world) == ["join"]


def test_a_chain_runs_in_order(world: World) -> None:
    names = ["c", "a", "b"]
    with world.session() as session, session.begin():
        tickets = aw.chain(*(piece(session, name).do for name in names))
        assert len(tickets) == 3

    world.run()

    assert done(world) == names


def test_many_are_joined(world: World) -> None:
    with world.session() as session, session.begin():
        many = aw.later_many(piece(session, f"piece {number}").do for number in range(700))
        aw.after(many, piece(session, "join").do)

    world.run()

    assert len(done(world)) == 701
    assert done(world)[-1] == "join"


def test_a_job_asks_for_what_follows_itself(world: World) -> None:
    with world.session() as session, session.begin():
        aw.later(piece(session, "first").begin)

    world.run()

    assert done(world) == ["one", "two", "three"]


def test_external_work_counts_as_well(world: World) -> None:
    with world.session() as session, session.begin():
        outside = aw.later(piece(session, "outside").do_outside)
        aw.after([outside], piece(session, "join").do)

    world.run()

    assert done(world) == ["outside", "join"]


def test_only_the_last_attempt_counts(world: World) -> None:
    with world.session() as session, session.begin():
        twice = aw.later(piece(session, "twice", failures=1).do_twice)
        aw.after([twice], piece(session, "join").do)

    for _ in range(3):
        world.run()
        world.clock.advance(timedelta(hours=1))

    assert done(world) == ["twice", "join"]


FAILED = "Cancelled: ticket 1, which it waited for, did not end well."


def failing_flow(world: World, if_failed: IfFailed) -> None:
    with world.session() as session, session.begin():
        bad, good = aw.later(piece(session, "bad", failures=1).do), aw.later(piece(session, "good").do)
        join = aw.after([bad, good], piece(session, "join").do, if_failed=if_failed)
        aw.after([join], piece(session, "last").do)


def test_if_one_fails_all_that_wait_are_cancelled(world: World) -> None:
    failing_flow(world, "cancel")

    world.run()

    _, _, join, last = errors(world.engine, SysAsyncTicket)
    assert (join, last) == (FAILED, FAILED.replace("1", "3"))
    assert done(world) == ["good"]


def test_if_one_fails_a_join_may_run_all_the_same(world: World) -> None:
    failing_flow(world, "run")

    world.run()

    assert done(world) == ["good", "join", "last"]


def test_if_one_fails_a_join_may_wait_for_its_retry(world: World) -> None:
    failing_flow(world, "wait")
    world.run()
    before = done(world)

    with world.session() as session, session.begin():
        piece(session, "bad").failures = 0
    world.app.control(world.engine).retry_tickets(["1"])
    world.run()

    assert (before, done(world)) == (["good"], ["good", "bad", "join", "last"])


def test_cancelling_one_cancels_what_waits_for_it(world: World) -> None:
    failing_flow(world, "cancel")

    world.app.control(world.engine).cancel_tickets(["2"])

    assert errors(world.engine, SysAsyncTicket)[2:] == [FAILED.replace("1", "2"), FAILED.replace("1", "3")]


def test_what_is_made_due_by_hand_waits_no_longer(world: World) -> None:
    failing_flow(world, "cancel")
    world.app.control(world.engine).run_tickets_now(["3"])

    world.run()

    assert sorted(done(world)) == ["good", "join", "last"]


def end_well(session: Session) -> None:
    session.execute(update(SysAsyncTicket).where(SysAsyncTicket.id == 1).values(done=datetime.now(UTC)))


def end_badly(session: Session) -> None:
    session.execute(update(SysAsyncTicket).where(SysAsyncTicket.id == 1).values(error="by hand"))


def be_deleted(session: Session) -> None:
    session.execute(delete(SysAsyncTicket).where(SysAsyncTicket.id == 1))


GONE = "Cancelled: ticket 1, which it waited for, was deleted before it ended."


@pytest.mark.parametrize(
    ("by_hand", "if_failed", "outcome"),
    [
        (end_well, "cancel", None),
        (end_badly, "cancel", FAILED),
        (end_badly, "run", None),
        (end_badly, "wait", "waits"),
        (be_deleted, "cancel", GONE),
        (be_deleted, "run", None),
        (be_deleted, "wait", GONE),
    ],
)
def test_what_is_ended_by_sql_is_noticed(
    world: World, by_hand: Callable[[Session], None], if_failed: IfFailed, outcome: str | None
) -> None:
    with world.session() as session, session.begin():
        late = aw.later(piece(session, "late").do, after=timedelta(hours=1))
        aw.after([late], piece(session, "join").do, if_failed=if_failed)
    with world.session() as session, session.begin():
        by_hand(session)

    world.run()

    join = everything(world.engine, SysAsyncTicket)[-1]
    assert (join.error if join.done else "waits") == outcome


def test_receipts_that_a_flow_still_needs_are_not_pruned(world: World) -> None:
    with world.session() as session, session.begin():
        late = aw.later(piece(session, "late").do, after=timedelta(hours=1))
        aw.after([late], piece(session, "join").do)
        session.flush()
        late.done = late.delete_time = world.clock.now() - timedelta(hours=1)

    world.run()

    assert done(world) == ["join"]


def test_rows_of_flows_go_with_their_receipts(world: World) -> None:
    failing_flow(world, "cancel")
    world.run()
    world.clock.advance(timedelta(days=30))
    world.run()

    with world.session() as session:
        rows = [session.scalar(select(func.count()).select_from(table)) for table in (tables.flow, tables.prerequisite)]
    assert (rows, everything(world.engine, SysAsyncTicket)) == ([0, 0], [])


def test_a_deleted_join_leaves_nothing(world: World) -> None:
    with world.session() as session, session.begin():
        late = aw.later(piece(session, "late").do, after=timedelta(hours=1))
        aw.after([late], piece(session, "join").do)
    with world.session() as session, session.begin():
        session.execute(delete(SysAsyncTicket).where(SysAsyncTicket.id == 2))

    world.run()

    with world.session() as session:
        assert session.scalar(select(func.count()).select_from(tables.prerequisite)) == 0


def test_what_has_ended_well_counts_as_ended(world: World) -> None:
    with world.session() as session, session.begin():
        aw.later(piece(session, "a").do)
    world.run()

    with world.session() as session, session.begin():
        first = session.get_one(SysAsyncTicket, 1)
        aw.after([first, aw.later(piece(session, "b").do)], piece(session, "join").do)
        aw.after([first], piece(session, "at once").do)
    world.run()

    assert sorted(done(world)) == ["a", "at once", "b", "join"]


def test_a_rolled_back_request_leaves_nothing(world: World) -> None:
    with world.session() as session:
        aw.after([aw.later(piece(session, "a").do)], piece(session, "join").do)
        session.flush()
        session.rollback()
        assert session.scalar(select(func.count()).select_from(tables.flow)) == 0


def test_a_table_that_was_made_anew_has_no_old_flows(world: World) -> None:
    with world.session() as session, session.begin():
        late = aw.later(piece(session, "late").do, after=timedelta(hours=1))
        aw.after([late], piece(session, "join").do)
    with world.session() as session, session.begin():
        session.execute(delete(SysAsyncTicket))
        session.add_all([SysAsyncTicket(id=1, view_model="Piece.do", root_object=piece(session, "a"))])
        session.flush()
        aw.after([session.get_one(SysAsyncTicket, 1)], piece(session, "b").do).id = 2

    world.run()

    assert done(world) == ["a", "b"]


@pytest.mark.parametrize("is_saved", [True, False])
def test_a_unique_request_does_not_join_what_waits_for_others(world: World, is_saved: bool) -> None:
    with world.session() as session, session.begin():
        join = piece(session, "join")
        session.flush()
        late = aw.later(piece(session, "late").do, after=timedelta(hours=1))
        waiting = aw.after([late], join.do)
        if is_saved:
            session.flush()
        assert aw.later(join.do, unique=True) is not waiting

    world.run()

    assert done(world) == ["join"]
