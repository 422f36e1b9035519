"""Jobs of each kind run inside the transaction of a test, which is rolled back."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, TextClause, select, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import BadRequest, CommittedInTest, NaiveDatetime
from afterwork.testing import Testing
from tests.testing.depot import Depot, Insurer, Parcel, Unpack, a_parcel, install, open_depot, tables, under_test, works

Scene = tuple[Testing, Session]


@pytest.fixture
def scene(engine: Engine) -> Iterator[Scene]:
    with under_test(engine) as scene:
        yield scene


def test_all_is_rolled_back_whatever_was_committed_and_run(engine: Engine) -> None:
    with under_test(engine) as (testing, session):
        before = tables(engine)
        parcel = a_parcel(session)
        aw.later(parcel.move)
        aw.later(parcel.ship)
        session.commit()
        testing.drain(check=True)
        assert parcel.moved == 11
    assert tables(engine) == before


def test_tickets_of_all_kinds_run(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session)
    for work in (parcel.move, parcel.ship, parcel.weigh, parcel.hang_about):
        aw.later(work)
    aw.later((chain := a_parcel(session)).move_on)
    session.commit()

    ended = testing.drain(check=True)

    assert works([run for run in ended if run.run.ticket is not None]) == [
        "Parcel.hang_about",
        "Parcel.move",
        *["Parcel.move_on"] * 3,
        "Parcel.ship",
        "Parcel.weigh",
    ]
    assert (parcel.moved, chain.moved) == (11, 3)
    assert testing.drain() == []
    assert testing.ended == ended


def test_a_job_that_raises_fails_alone(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session)
    tickets = [aw.later(work) for work in (parcel.move, parcel.drop, parcel.collide, parcel.move)]
    session.commit()

    testing.drain()

    assert parcel.moved == 2
    assert [ticket.error and ticket.error.split(" ")[0].rstrip(":") for ticket in tickets] == [
        None,
        "ValueError",
        "IntegrityError",
        None,
    ]


def test_what_a_view_model_does_on_an_exception_is_saved(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session)
    ticket = aw.later(Unpack(parcel))
    session.commit()

    testing.drain()

    assert "it is empty" in str(ticket.error)
    assert (parcel.weight, parcel.moved) == (1, len("it is empty"))


def test_a_method_for_many_is_called_for_all(scene: Scene) -> None:
    testing, session = scene
    parcels = [a_parcel(session) for _ in range(3)]
    for parcel in parcels:
        aw.later(parcel.stack)
    session.commit()

    testing.drain(check=True)

    assert [parcel.moved for parcel in parcels] == [3, 3, 3]


def test_the_rate_of_a_lane_counts_by_the_clock(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session)
    for _ in range(3):
        aw.later(parcel.weigh_slowly)
    session.commit()
    moved = []
    for _ in range(3):
        testing.drain(check=True)
        session.refresh(parcel)
        moved.append(parcel.moved)
        testing.clock.advance(timedelta(hours=1))

    assert moved == [1, 2, 3]


@pytest.mark.parametrize("work", ["commit_it", "roll_back", "roll_back_outside"])
def test_a_job_cannot_end_the_transaction(scene: Scene, work: str) -> None:
    testing, session = scene
    parcel = a_parcel(session)
    ticket = aw.later(getattr(parcel, work))
    session.commit()

    testing.drain()

    assert "TransactionIsTheRuns" in str(ticket.error)
    assert (session.get_one(Parcel, parcel.id), parcel.moved) == (parcel, 0)


def test_a_calculation_cannot_end_the_transaction(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    testing, session = scene
    depot = a_parcel(session, 3).depot
    monkeypatch.setattr(Depot.compute_fee, "function", rolled_back_once)

    outcomes = {run.run.work: run.outcome for run in testing.drain()}

    assert isinstance(outcomes["Depot.fee"], aw.Raised)
    session.refresh(depot)
    assert (depot.weight, depot.fee) == (3, 0)


def rolled_back_once(depot: Depot) -> int:
    aw.session(depot).connection().rollback()
    return 1


def test_a_calculation_cannot_write(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    testing, session = scene
    depot = a_parcel(session, 3).depot
    write = text("UPDATE depot SET parcels_sent = 7")
    monkeypatch.setattr(Depot.compute_fee, "function", lambda depot: written(depot, write))

    outcomes = {run.run.work: run.outcome for run in testing.drain()}

    assert isinstance(outcomes["Depot.fee"], aw.Raised)
    session.refresh(depot)
    assert (depot.weight, depot.parcels_sent) == (3, 0)


def written(depot: Depot, statement: TextClause) -> int:
    with aw.untracked():
        aw.session(depot).execute(statement)
    return 1


def test_a_retry_waits_for_the_clock(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session)
    aw.later(parcel.try_again)
    session.commit()
    testing.drain()
    assert parcel.moved == 0

    testing.clock.advance(timedelta(hours=1))
    testing.drain(check=True)

    session.refresh(parcel)
    assert parcel.moved == 1


def test_the_clock_moves_to_points_in_time_only(scene: Scene) -> None:
    testing, _ = scene
    with pytest.raises(NaiveDatetime, match="has no time zone"):
        testing.clock.move_to(datetime(2100, 1, 1))
    with pytest.raises(BadRequest, match="'noon' is no datetime"):
        testing.clock.move_to("noon")  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="60 is no span of time"):
        testing.clock.advance(60)  # type: ignore[arg-type]


def test_derived_values_follow_each_change_and_no_own_one(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session, 1)
    depot = parcel.depot
    for weight in (2, 3, 2, 5):
        parcel.weight = weight
        session.commit()
        assert works(testing.drain(check=True))[:3] == ["Depot.fee", "Depot.weight", "Labelling"]
        session.expire_all()
        assert (depot.weight, depot.fee, [label.text for label in depot.labels]) == (
            weight,
            weight * 2,
            [f"{weight} kg"],
        )
        assert testing.drain() == []


def test_a_derived_value_that_the_test_overwrites_becomes_right(scene: Scene) -> None:
    testing, session = scene
    depot = a_parcel(session, 4).depot
    testing.drain()
    for wrong in (7, 8):
        session.refresh(depot)
        depot.weight = wrong
        session.commit()
        assert aw.is_stale(depot, "weight")
        testing.drain(check=True)
        session.refresh(depot)
        assert (depot.weight, depot.fee) == (4, 8)


def test_what_a_cache_has_written_itself_may_be_changed_by_the_test(scene: Scene) -> None:
    testing, session = scene
    depot = a_parcel(session, 4).depot
    testing.drain()
    for _ in range(2):
        session.expire_all()
        depot.labels.clear()
        session.commit()
        testing.drain(check=True)
        session.expire_all()
        assert [label.text for label in depot.labels] == ["4 kg"]


def test_questions_about_values_are_answered_between_runs(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session, 4)
    testing.drain()
    assert not aw.is_stale(parcel.depot, "fee")

    parcel.weight = 5
    session.flush()

    assert aw.is_stale(parcel.depot, "fee")
    assert aw.fresh(parcel.depot, "fee") == 10
    assert "stale" in str(testing.app.explain(parcel.depot, "fee"))
    testing.drain()
    assert not aw.is_stale(parcel.depot, "fee")


def test_a_value_at_commit_is_there_when_the_session_has_committed(scene: Scene) -> None:
    testing, session = scene
    depot = a_parcel(session).depot
    assert depot.count == 1
    session.add(Parcel(depot=depot))
    session.commit()
    assert depot.count == 2
    testing.drain()
    session.refresh(depot)
    assert depot.count == 2


def test_a_value_at_commit_is_there_when_jobs_have_written(scene: Scene) -> None:
    testing, session = scene
    depot = a_parcel(session).depot
    session.delete(depot.parcels[0])
    session.flush()
    testing.drain()
    session.refresh(depot)
    assert depot.count == 0


def test_a_machine_moves_by_itself_and_by_the_tickets_that_it_asks_for(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session, 1)
    testing.drain(check=True)
    session.refresh(parcel)
    assert parcel.state == "packed"

    parcel.weight = 101
    session.commit()
    testing.drain(check=True)
    session.refresh(parcel)
    assert parcel.state == "on_the_road"

    assert testing.asked(parcel.flow.deliver, after=timedelta(days=1))
    testing.clock.advance(timedelta(days=1))
    testing.drain(check=True)
    session.refresh(parcel)
    assert parcel.state == "delivered"


def test_a_time_passes_when_the_clock_is_moved(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session, due=datetime.now(UTC) + timedelta(days=2))
    testing.drain(check=True)
    session.refresh(parcel)
    assert not parcel.is_late

    testing.clock.advance(timedelta(days=2))
    testing.drain(check=True)

    session.refresh(parcel)
    assert parcel.is_late


@pytest.mark.parametrize("begin", [install, open_depot], ids=["new", "known"])
def test_a_timer_runs_an_interval_after_the_test_began(engine: Engine, begin: Callable[[Engine], None]) -> None:
    with under_test(engine, begin=begin) as (testing, session):
        depot = a_parcel(session, 7).depot
        sent = []
        for minutes in (0, 59, 1, 30, 30):
            testing.clock.advance(timedelta(minutes=minutes))
            testing.drain(check=True)
            session.refresh(depot)
            sent.append(depot.parcels_sent)

    assert sent == [0, 0, 1, 1, 2]


def test_what_a_server_does_once_was_done_before_the_test(scene: Scene) -> None:
    testing, session = scene
    assert "Upgrade" not in works(testing.drain())
    assert session.scalars(select(Depot.parcels_sent)).all() == [1000]


def test_jobs_that_ran_before_a_rollback_have_never_run(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session)
    aw.later(parcel.move)
    session.commit()
    session.add(Depot())
    session.flush()
    testing.drain(check=True)

    session.rollback()

    assert parcel.moved == 0
    testing.drain(check=True)
    session.refresh(parcel)
    assert parcel.moved == 1


def test_the_transaction_cannot_be_committed(engine: Engine) -> None:
    with under_test(engine) as (_, session):
        before = tables(engine)
        a_parcel(session)
        connection = session.connection()
        session.close()
        with pytest.raises(CommittedInTest, match="create_savepoint"):
            connection.commit()
    assert tables(engine) == before


def test_a_job_cannot_drain(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    testing, session = scene
    monkeypatch.setattr(Parcel.move, "function", lambda parcel: testing.drain())
    ticket = aw.later(a_parcel(session).move)
    session.commit()

    testing.drain()

    assert "its own run has not ended" in str(ticket.error)


def test_no_job_runs_in_the_mode_none(engine: Engine) -> None:
    with under_test(engine, "none") as (testing, session):
        aw.later(a_parcel(session).move)
        session.commit()
        with pytest.raises(BadRequest, match="runs no jobs"):
            testing.drain()
        assert testing.ended == []


def test_a_step_is_done_once_however_often_its_run_is_tried(scene: Scene) -> None:
    testing, session = scene
    Insurer.policies = 0
    parcel = a_parcel(session)
    ticket = aw.later(parcel.insure)
    session.commit()

    for _ in range(3):
        testing.drain()

    assert (parcel.insured, ticket.attempts, ticket.error) == ("policy 1", 3, None)


def test_an_async_job_is_awaited_and_reads_what_the_test_has_saved(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session)
    ticket = aw.later(parcel.track)
    session.commit()

    testing.drain()

    assert (parcel.insured, parcel.moved, ticket.error) == ("insured already", 1, None)
