"""The reads of each kind of member."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, defer, joinedload, selectinload

from afterwork.derived.tracking.hidden_state import untracked
from afterwork.errors import CantTrack, NotWatched, ReadsItself
from tests.support.tracking.members import ALL_MEMBERS
from tests.support.tracking.scene import (
    Customer,
    Line,
    Order,
    Person,
    Place,
    Scene,
)


@pytest.mark.parametrize("kind", ALL_MEMBERS)
def test_each_kind_of_member_has_its_reads(scene: Scene, session: Session, kind: str) -> None:
    cls, key, job, expected = ALL_MEMBERS[kind]
    obj: Any = session.get_one(cls, key)
    assert scene.reads(session, lambda: job(obj)) == expected
    assert scene.asked == []


@pytest.mark.parametrize("kind", ALL_MEMBERS)
def test_loaded_members_have_the_same_reads(scene: Scene, session: Session, kind: str) -> None:
    cls, key, job, expected = ALL_MEMBERS[kind]
    obj: Any = session.get_one(cls, key)
    job(obj)
    assert scene.reads(session, lambda: job(obj)) == expected
    assert scene.reads(session, lambda: job(obj)) == expected


@pytest.mark.parametrize("kind", ALL_MEMBERS)
def test_expired_members_have_the_same_reads(scene: Scene, session: Session, kind: str) -> None:
    cls, key, job, expected = ALL_MEMBERS[kind]
    obj: Any = session.get_one(cls, key)
    session.expire_all()
    assert scene.reads(session, lambda: job(obj)) == expected


@pytest.mark.parametrize("kind", ALL_MEMBERS)
def test_nothing_is_recorded_outside_or_untracked(scene: Scene, session: Session, kind: str) -> None:
    cls, key, job, _ = ALL_MEMBERS[kind]
    obj: Any = session.get_one(cls, key)

    def unseen() -> None:
        with untracked():
            job(obj)

    assert scene.reads(session, unseen) == set()


@pytest.mark.parametrize("option", [selectinload, joinedload])
def test_eager_loading_reads_nothing_by_itself(scene: Scene, session: Session, option: Any) -> None:
    query = select(Customer).options(option(Customer.orders).options(option(Order.lines))).where(Customer.id == 1)

    def job() -> object:
        customer = session.scalars(query).unique().one()
        return customer.orders[0].lines

    # Order 2 is the first by its number; the lines of the other one were loaded, not read.
    assert scene.reads(session, job) == {"order_ ? customer_id=1: number", "line ? order_id=2: position"}
    assert len(scene.asked) == 1


def test_a_key_of_another_type_is_the_same_key(scene: Scene, session: Session) -> None:
    first = session.get_one(Customer, 1)
    assert scene.reads(session, lambda: first.place == Place("Elm", "Oslo")) == {"customer 1: street town"}


def test_a_column_property_with_a_query_is_tracked_as_a_query(scene: Scene, session: Session) -> None:
    customer: Any = session.get_one(Customer, 1)
    assert scene.reads(session, lambda: customer.order_count) == {"customer 1: id"}
    assert scene.reads(session, lambda: (customer.order_count, customer.order_count)) == {"customer 1: id"}
    assert len(scene.asked) == 2
    assert "count(order_.id)" in str(scene.asked[0])


def test_a_missing_target_is_read_as_missing(scene: Scene, session: Session) -> None:
    order = session.get_one(Order, 1)
    session.connection().exec_driver_sql("UPDATE order_ SET customer_id = 77 WHERE id = 1")
    session.expire_all()
    assert scene.reads(session, lambda: order.customer) == {"order_ 1: customer_id", "customer 77:"}


def test_objects_that_the_job_has_made_are_no_dependency(scene: Scene, session: Session) -> None:
    def job() -> None:
        order = Order(id=9, customer_id=1)
        assert order.number is None
        assert order.lines == []
        session.add(order)
        assert order.customer_id == 1
        order.lines.append(Line(position=1))
        assert len(order.lines) == 1

    assert scene.reads(session, job) == set()


def test_own_changes_are_no_reads(scene: Scene, session: Session) -> None:
    customer = session.get_one(Customer, 1)

    def job() -> None:
        customer.name = "Anna"
        session.add(Order(id=9, customer_id=1))
        session.flush()
        session.delete(session.get_one(Order, 9))
        session.flush()

    assert scene.reads(session, job) <= {
        "order_ 9:",
        "line ? order_id=9:",
        "line ? order_id=9: position",
        "order_tag ? order_id=9: tag_id",
    }
    assert scene.asked == []


def test_refreshing_and_merging(scene: Scene, session: Session) -> None:
    customer = session.get_one(Customer, 1)

    def job() -> object:
        session.refresh(customer)
        session.refresh(customer, ["orders"])
        session.expire(customer, ["name"])
        return customer.name

    assert scene.reads(session, job) == {"customer 1: name"}
    assert scene.reads(session, lambda: session.merge(Customer(id=2, name="Bob"))) == {"customer 2:"}
    assert scene.reads(session, lambda: session.merge(Customer(id=7, name="Zoe"))) == {"customer 7:"}
    assert scene.asked == []


def test_forbidden_loads_still_raise(scene: Scene, session: Session) -> None:
    from sqlalchemy.exc import InvalidRequestError
    from sqlalchemy.orm import raiseload

    customer = session.scalars(select(Customer).options(raiseload("*")).where(Customer.id == 1)).one()
    order = session.scalars(select(Order).options(raiseload(Order.lines), defer(Order.number))).first()
    assert order is not None
    with scene.recorder(session).recording():
        with pytest.raises(InvalidRequestError):
            customer.orders
        with pytest.raises(InvalidRequestError):
            order.lines
        assert order.number in (7, 8)


def test_a_table_that_is_not_tracked_is_refused(scene: Scene, session: Session) -> None:
    customer = session.get_one(Customer, 1)
    log = customer.logs[0]
    with scene.recorder(session).recording():
        for _ in range(2):
            with pytest.raises(NotWatched, match=r"Customer\.logs.*'log'.*aw\.untracked"):
                customer.logs
            with pytest.raises(NotWatched, match=r"Log\.text.*'log'.*aw\.depends_on"):
                log.text
        with untracked():
            assert customer.logs[0].text == ""


def test_the_member_that_is_calculated_must_not_be_read(scene: Scene, session: Session) -> None:
    customer, other = session.get_one(Customer, 1), session.get_one(Customer, 2)
    recorder = scene.recorder(session)
    recorder.result_member = (session.identity_key(instance=customer), "name")
    with recorder.recording():
        assert other.name == "Bob"
        assert customer.town == "Oslo"
        with pytest.raises(ReadsItself, match=r"Customer\.name"):
            customer.name
        with pytest.raises(CantTrack):
            customer.greeting
    assert scene.in_words(recorder) == {"customer 2: name", "customer 1: town"}


def test_recorders_take_turns(scene: Scene, session: Session) -> None:
    customer = session.get_one(Customer, 1)
    outer, inner = scene.recorder(session), scene.recorder(session)
    with outer.recording():
        assert customer.name
        with inner.recording():
            assert customer.town
        assert customer.street
    assert customer.orders
    assert scene.in_words(outer) == {"customer 1: name street"}
    assert scene.in_words(inner) == {"customer 1: town"}
    assert scene.in_words(inner) == {"customer 1: town"}


def test_a_polymorphic_object_read_by_its_base(scene: Scene, session: Session) -> None:
    people = session.scalars(select(Person).order_by(Person.id)).all()
    found = scene.reads(session, lambda: [(person.name, getattr(person, "desk", None)) for person in people])
    assert found == {"person 1: name", "person 2: name", "person 3: name", "clerk 1: desk", "clerk 2: desk"}
