"""A test asks what was asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import BadRequest
from afterwork.testing import Testing
from tests.support.databases import url
from tests.testing.depot import Parcel, Send, a_parcel, under_test

__all__ = ["url"]

Scene = tuple[Testing, Session, Parcel]


@pytest.fixture
def scene(engine: Engine, url: URL) -> Iterator[Scene]:
    with under_test(engine) as (testing, session):
        yield testing, session, a_parcel(session)


def test_a_ticket_is_found_by_its_work_and_root(scene: Scene) -> None:
    testing, session, parcel = scene
    ticket = aw.later(parcel.move)
    session.commit()

    assert [asked.id for asked in testing.asked(parcel.move)] == [ticket.id]
    for work in (Parcel.move, "Parcel.move", None):
        assert len(testing.asked(work)) == 1
    other = a_parcel(session)
    for unasked in (other.move, parcel.ship, Parcel.ship, "Parcel.ship", Send, Send(parcel)):
        assert not testing.asked(unasked)


def test_a_view_model_is_found_by_its_class_and_on_its_root(scene: Scene) -> None:
    testing, session, parcel = scene
    aw.later(Send(parcel))
    session.commit()
    assert testing.asked(Send)
    assert testing.asked(Send(parcel))
    assert testing.asked("Send")


def test_a_ticket_is_found_before_its_session_is_flushed(scene: Scene) -> None:
    testing, _, parcel = scene
    aw.later(parcel.move)
    assert testing.asked(parcel.move)


def test_a_ticket_that_has_ended_was_asked_for(scene: Scene) -> None:
    testing, session, parcel = scene
    aw.later(parcel.move)
    session.commit()
    testing.drain()
    assert testing.asked(parcel.move)[0].done is not None


def test_a_request_that_was_rolled_back_was_not_made(scene: Scene) -> None:
    testing, session, parcel = scene
    aw.later(parcel.move)
    session.flush()
    session.rollback()
    assert not testing.asked(parcel.move)


def test_a_delay_counts_from_when_it_was_asked_for(scene: Scene) -> None:
    testing, session, parcel = scene
    aw.later(parcel.move, after=timedelta(days=3))
    testing.clock.advance(timedelta(days=10))
    aw.later(parcel.ship, after=timedelta(days=3))
    session.commit()

    for work in (parcel.move, parcel.ship):
        assert testing.asked(work, after=timedelta(days=3))
        for days in (-7, 0, 2, 4, 13):
            assert not testing.asked(work, after=timedelta(days=days))


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ({"at": datetime(2050, 1, 1, tzinfo=UTC)}, {"at": datetime(2050, 1, 2, tzinfo=UTC)}),
        ({"priority": 1}, {"priority": 2}),
        ({"lane": "post"}, {"lane": "main"}),
        ({"lane": None}, {"lane": "post"}),
    ],
)
def test_what_later_is_given_must_be_the_same(scene: Scene, given: dict[str, Any], other: dict[str, Any]) -> None:
    testing, session, parcel = scene
    aw.later(parcel.move, **given)
    session.commit()
    assert testing.asked(parcel.move, **given)
    assert not testing.asked(parcel.move, **other)


def test_the_lane_that_the_work_declares_counts(scene: Scene) -> None:
    testing, session, parcel = scene
    for work in (parcel.move, parcel.hang_about, parcel.ship):
        aw.later(work)
    session.commit()
    assert testing.asked(parcel.move, lane="main")
    assert testing.asked(parcel.hang_about, lane="post")
    assert testing.asked(parcel.ship, lane=None)


def test_the_arguments_count_if_they_are_given(scene: Scene) -> None:
    testing, session, parcel = scene
    aw.later(parcel.forward.given("Rome"))
    aw.later(Send(parcel, by="sea"))
    session.commit()
    for work in (
        parcel.forward.given("Rome"),
        parcel.forward.given(to="Rome", code=""),
        parcel.forward,
        Parcel.forward,
        Send(parcel, by="sea"),
        Send(parcel),
        Send,
    ):
        assert len(testing.asked(work)) == 1
    for unasked in (parcel.forward.given("Oslo"), parcel.forward.given("Rome", code="x"), Send(parcel, by="air")):
        assert not testing.asked(unasked)


def test_the_arguments_of_what_was_asked_for_instead_are_told_without_secrets(scene: Scene) -> None:
    testing, session, parcel = scene
    aw.later(parcel.forward.given("Rome", code="1234"))
    session.commit()
    told = f"Parcel.forward on Parcel!{parcel.id} with to='Rome', code='(secret)' was asked for"
    assert repr(testing.asked(parcel.forward.given("Oslo"))) == f"[] ({told})"


def test_nothing_tells_what_was_asked_for_instead(scene: Scene) -> None:
    testing, session, parcel = scene
    assert repr(testing.asked(parcel.ship)) == "[] (nothing was asked for)"
    aw.later(parcel.move)
    session.commit()
    assert repr(testing.asked(parcel.ship)) == f"[] (Parcel.move on Parcel!{parcel.id} was asked for)"


@pytest.mark.parametrize("work", ["Parcel.fly", 7])
def test_what_is_no_work_is_refused(scene: Scene, work: Any) -> None:
    testing, *_ = scene
    with pytest.raises(BadRequest, match=r"no work"):
        testing.asked(work)
