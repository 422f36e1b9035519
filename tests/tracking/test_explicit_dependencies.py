"""Moments, and dependencies that the code names itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, column_property, mapped_column, relationship

from afterwork.derived.tracking.explicit_dependencies import depends_on, passed
from afterwork.derived.tracking.tracked_attributes import TrackedMember, TrackedRelationshipAttribute, instrument
from afterwork.errors import BadRequest, NaiveDatetime, NotWatched
from tests.support.tracking.scene import NOW, Clerk, Customer, Log, Order, Place, Scene, order_tag

MINUTE = timedelta(minutes=1)


def test_a_future_timestamp_limits_the_validity_of_the_result(scene: Scene, session: Session) -> None:
    recorder = scene.recorder(session)
    with recorder.recording():
        assert passed(NOW - MINUTE)
        assert passed(NOW)
        assert recorder.reads().valid_until is None
        assert not passed(NOW + 3 * MINUTE)
        assert not passed(NOW + 2 * MINUTE)
        assert not passed(NOW + 4 * MINUTE)
    assert recorder.reads().valid_until == NOW + 2 * MINUTE


def test_outside_of_a_cache_passed_asks_the_clock(scene: Scene) -> None:
    now = datetime.now(UTC)
    assert passed(now)
    assert not passed(now + MINUTE)


def test_a_timestamp_without_a_time_zone_is_refused(scene: Scene, session: Session) -> None:
    naive = datetime(2026, 1, 1)
    with pytest.raises(NaiveDatetime):
        passed(naive)
    with scene.recorder(session).recording(), pytest.raises(NaiveDatetime):
        passed(naive)


THINGS: dict[str, tuple[Any, set[str]]] = {
    "a class": (Customer, {"customer ? all: id name street town sponsor_id"}),
    "a class of two tables": (Clerk, {"person ? all: id kind name boss_id", "clerk ? all: id desk"}),
    "a table": (order_tag, {"order_tag ? all: order_id tag_id"}),
    "a member": (Order.amount, {"order_ ? all:", "order_ ? all: amount"}),
    "a member of two columns": (Customer.place, {"customer ? all:", "customer ? all: street town"}),
    "a synonym": (Customer.title, {"customer ? all:", "customer ? all: name"}),
    "an end": (
        Order.customer,
        {"order_ ? all:", "order_ ? all: customer_id", "customer ? all: id"},
    ),
    "an end in order": (
        Customer.orders,
        {"customer ? all:", "customer ? all: id", "order_ ? all: customer_id number"},
    ),
    "an end by a link": (
        Order.tags,
        {"order_ ? all:", "order_ ? all: id", "order_tag ? all: order_id tag_id", "tag ? all: id name"},
    ),
}


@pytest.mark.parametrize("kind", THINGS)
def test_each_declared_dependency_has_its_reads(scene: Scene, session: Session, kind: str) -> None:
    thing, expected = THINGS[kind]
    depends_on(thing)
    assert scene.reads(session, lambda: depends_on(thing)) == expected


def test_objects_can_be_declared_as_dependencies(scene: Scene, session: Session) -> None:
    clerk, order = session.get_one(Clerk, 2), session.get_one(Order, 1)
    assert scene.reads(session, lambda: depends_on(clerk, order, Order(id=9))) == {
        "person 2: id kind name boss_id",
        "clerk 2: id desk",
        "order_ 1: id customer_id number amount note clerk_id",
    }


@pytest.mark.parametrize("thing", ["Order", 7, None, Place, func.count(), passed])
def test_other_things_are_refused_as_dependencies(scene: Scene, session: Session, thing: object) -> None:
    with scene.recorder(session).recording(), pytest.raises(BadRequest, match=r"aw\.depends_on"):
        depends_on(thing)


@pytest.mark.parametrize("thing", [Log, Log.text, Customer.logs, Log.__table__])
def test_untracked_tables_are_refused_as_dependencies(scene: Scene, session: Session, thing: object) -> None:
    with scene.recorder(session).recording(), pytest.raises(NotWatched, match="log"):
        depends_on(thing)


def test_later_classes_and_members_are_tracked_too() -> None:
    class Later(DeclarativeBase):
        pass

    class First(Later):
        __tablename__ = "first"
        id: Mapped[int] = mapped_column(primary_key=True)

    instrument(Later.registry.mappers)
    instrument(Later.registry.mappers)

    class Second(Later):
        __tablename__ = "second"
        id: Mapped[int] = mapped_column(primary_key=True)
        firsts: Mapped[list[First]] = relationship(
            primaryjoin="Second.id == foreign(First.id)", viewonly=True, backref="seconds"
        )

    First.double = column_property(First.__table__.c.id * 2)
    Later.registry.configure()
    assert isinstance(vars(First)["id"], TrackedMember)
    assert isinstance(vars(First)["double"], TrackedMember)
    assert isinstance(vars(First)["seconds"], TrackedRelationshipAttribute)
    assert isinstance(vars(Second)["id"], TrackedMember)
    assert isinstance(vars(Second)["firsts"], TrackedRelationshipAttribute)
    Later.registry.dispose()
