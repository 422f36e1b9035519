"""In the mode inline, jobs run whenever the code under test commits a session."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import JobFailed
from afterwork.testing import Testing
from tests.testing.depot import Depot, Parcel, a_parcel, under_test, works

Scene = tuple[Testing, Session]


@pytest.fixture
def scene(engine: Engine) -> Iterator[Scene]:
    with under_test(engine, "inline") as scene:
        yield scene


def test_what_a_commit_asks_for_is_done_when_it_returns(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session, 2)
    aw.later(parcel.ship)
    session.commit()
    assert (parcel.moved, parcel.depot.weight, parcel.depot.fee) == (10, 2, 4)
    assert "Parcel.ship" in works(testing.ended)


def test_a_commit_by_a_block_runs_jobs(scene: Scene) -> None:
    _, session = scene
    parcel = a_parcel(session)
    session.rollback()
    with session.begin():
        aw.later(parcel.move)
    assert parcel.moved == 1


def test_neither_a_flush_nor_a_savepoint_nor_a_rollback_runs_jobs(scene: Scene) -> None:
    testing, session = scene
    parcel = a_parcel(session)
    aw.later(parcel.move, after=timedelta(days=1))
    session.commit()
    testing.clock.advance(timedelta(days=1))
    before = len(testing.ended)
    with session.begin_nested():
        aw.later(parcel.move)
    session.flush()
    assert len(testing.ended) == before

    session.rollback()

    assert (len(testing.ended), parcel.moved) == (before, 0)
    session.commit()
    assert parcel.moved == 1


def test_the_exception_of_a_job_comes_out_of_the_commit(scene: Scene) -> None:
    _, session = scene
    parcel = a_parcel(session)
    ticket, other = aw.later(parcel.drop), aw.later(parcel.move)

    with pytest.raises(ValueError, match="it is broken") as raised:
        session.commit()

    assert raised.value.__notes__ == [f"It was raised by a run of Parcel.drop on Parcel!{parcel.id}."]
    assert "it is broken" in str(ticket.error)
    assert (other.error, parcel.moved) == (None, 1)


def test_the_exceptions_of_several_jobs_come_out_together(scene: Scene) -> None:
    _, session = scene
    parcel = a_parcel(session)
    for work in (parcel.drop, parcel.try_again):
        aw.later(work)

    with pytest.raises(ExceptionGroup, match="2 runs raised") as raised:
        session.commit()

    assert {type(error) for error in raised.value.exceptions} == {ValueError, ConnectionError}


def test_a_value_that_cannot_be_calculated_fails_the_commit(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    _, session = scene
    monkeypatch.setattr(Depot.compute_fee, "function", lambda depot: 1 // 0)

    with pytest.raises(JobFailed, match=r"Depot\.fee on Depot!\d+ failed: ZeroDivisionError"):
        a_parcel(session)


def test_a_precondition_that_is_false_fails_no_commit(scene: Scene) -> None:
    _, session = scene
    parcel = a_parcel(session, 0)
    ticket = aw.later(parcel.weigh)
    session.commit()
    assert "precondition" in str(ticket.error)


def test_a_session_elsewhere_runs_no_jobs(scene: Scene, engine: Engine) -> None:
    testing, session = scene
    a_parcel(session)
    before = len(testing.ended)
    with Session(engine) as elsewhere:
        elsewhere.get(Parcel, 1)
        elsewhere.commit()
    assert len(testing.ended) == before


def test_only_a_block_is_inline(engine: Engine) -> None:
    with under_test(engine) as (testing, session):
        with testing.inline():
            parcel = a_parcel(session, 2)
        assert parcel.depot.fee == 4
        parcel.weight = 3
        session.commit()
        assert parcel.depot.fee == 4


def test_nothing_listens_any_more_when_the_test_is_over(engine: Engine) -> None:
    with under_test(engine, "inline") as (testing, _):
        pass
    with Session(engine) as session:
        a_parcel(session)
    assert testing.ended == []
