"""What reading objects is remembered as."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session, defer, joinedload, selectinload

from afterwork.derived.tracking.hidden_state import untracked
from afterwork.errors import CantTrack, NotWatched, ReadsItself
from tests.tracking.tracking_scene import (
    Card,
    Clerk,
    Customer,
    Guest,
    Line,
    Order,
    Person,
    Place,
    Remark,
    Scene,
    Tag,
)

Read = Callable[[Any], object]

MEMBERS: dict[str, tuple[type, Any, Read, set[str]]] = {
    "a column": (Customer, 1, lambda it: it.name, {"customer 1: name"}),
    "two": (Customer, 1, lambda it: (it.name, it.town, it.name), {"customer 1: name town"}),
    "the key": (Customer, 1, lambda it: it.id, {"customer 1: id"}),
    "a left-out column": (Customer, 1, lambda it: it.changed, set()),
    "a synonym": (Customer, 1, lambda it: it.title, {"customer 1: name"}),
    "a hybrid": (Customer, 1, lambda it: it.greeting, {"customer 1: name"}),
    "a column property": (Customer, 1, lambda it: it.shout, {"customer 1: name"}),
    "a composite": (Customer, 1, lambda it: it.place, {"customer 1: street town"}),
    "a deferred column": (Order, 1, lambda it: it.note, {"order_ 1: note"}),
    "a composite key": (Line, (1, 2), lambda it: it.amount, {"line 1/2: amount"}),
    "a text key": (Card, "X1", lambda it: it.customer_id, {"card X1: customer_id"}),
    "an inherited column": (Clerk, 1, lambda it: it.name, {"person 1: name"}),
    "a column of a joined table": (Clerk, 1, lambda it: it.desk, {"clerk 1: desk"}),
    "a subclass in one table": (Guest, 3, lambda it: it.name, {"person 3: name"}),
    "an attribute's state": (Customer, 1, lambda it: inspect(it).attrs.name.value, {"customer 1: name"}),
}

ENDS: dict[str, tuple[type, Any, Read, set[str]]] = {
    "many to one": (Order, 1, lambda it: it.customer, {"order_ 1: customer_id", "customer 1:"}),
    "many to one, null": (Customer, 1, lambda it: it.sponsor, {"customer 1: sponsor_id"}),
    "many to one, itself": (Customer, 2, lambda it: it.sponsor, {"customer 2: sponsor_id", "customer 1:"}),
    "many to one, composite": (Remark, 1, lambda it: it.line, {"remark 1: order_id position", "line 1/2:"}),
    "many to one, a subclass": (Order, 1, lambda it: it.clerk, {"order_ 1: clerk_id", "person 2: kind", "clerk 2:"}),
    "many to one, key of a parent": (Line, (1, 2), lambda it: it.order, {"order_ 1:"}),
    "one to many, in order": (Customer, 1, lambda it: it.orders, {"order_ ? customer_id=1: number"}),
    "one to many, nothing there": (Customer, 2, lambda it: it.orders, {"order_ ? customer_id=2: number"}),
    "one to many, itself": (Customer, 1, lambda it: it.sponsored, {"customer ? sponsor_id=1:"}),
    "one to many, composite": (Line, (1, 2), lambda it: it.remarks, {"remark ? order_id=1,position=2:"}),
    "one to many, subclasses": (Clerk, 1, lambda it: it.staff, {"person ? boss_id=1: kind"}),
    "one to many, narrowed": (Customer, 1, lambda it: it.big_orders, {"order_ ? customer_id=1: amount"}),
    "one to many, by name": (
        Customer,
        1,
        lambda it: it.by_number,
        {"order_ ? customer_id=1:", "order_ 1: number", "order_ 2: number"},
    ),
    "one to many, not understood": (
        Customer,
        1,
        lambda it: it.odd_orders,
        {
            "customer ? all: id name street town sponsor_id",
            "order_ ? all: id customer_id number amount note clerk_id",
        },
    ),
    "one to one": (Customer, 1, lambda it: it.card, {"card ? customer_id=1:"}),
    "one to one, nothing there": (Customer, 2, lambda it: it.card, {"card ? customer_id=2:"}),
    "many to many, in order": (
        Order,
        1,
        lambda it: it.tags,
        {"order_tag ? order_id=1: tag_id", "tag 1: name", "tag 2: name"},
    ),
    "many to many": (Tag, 1, lambda it: it.orders, {"order_tag ? tag_id=1: order_id", "order_ 1:"}),
    "many to many, nothing there": (Order, 2, lambda it: it.tags, {"order_tag ? order_id=2: tag_id"}),
    "a proxy": (
        Order,
        1,
        lambda it: list(it.tag_names),
        {"order_tag ? order_id=1: tag_id", "tag 1: name", "tag 2: name"},
    ),
    "two steps": (
        Line,
        (1, 2),
        lambda it: it.order.customer.name,
        {"order_ 1: customer_id", "customer 1: name"},
    ),
}

ALL = {**MEMBERS, **ENDS}


@pytest.mark.parametrize("kind", ALL)
def test_each_kind_of_member(scene: Scene, session: Session, kind: str) -> None:
    cls, key, job, expected = ALL[kind]
    obj: Any = session.get_one(cls, key)
    assert scene.reads(session, lambda: job(obj)) == expected
    assert scene.asked == []


@pytest.mark.parametrize("kind", ALL)
def test_the_same_when_all_is_loaded_already(scene: Scene, session: Session, kind: str) -> None:
    cls, key, job, expected = ALL[kind]
    obj: Any = session.get_one(cls, key)
    job(obj)
    assert scene.reads(session, lambda: job(obj)) == expected
    assert scene.reads(session, lambda: job(obj)) == expected


@pytest.mark.parametrize("kind", ALL)
def test_the_same_when_it_has_expired(scene: Scene, session: Session, kind: str) -> None:
    cls, key, job, expected = ALL[kind]
    obj: Any = session.get_one(cls, key)
    session.expire_all()
    assert scene.reads(session, lambda: job(obj)) == expected


@pytest.mark.parametrize("kind", ALL)
def test_nothing_outside_and_nothing_when_told_so(scene: Scene, session: Session, kind: str) -> None:
    cls, key, job, _ = ALL[kind]
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


def test_the_same_value_by_a_value_of_a_key(scene: Scene, session: Session) -> None:
    first = session.get_one(Customer, 1)
    assert scene.reads(session, lambda: first.place == Place("Elm", "Oslo")) == {"customer 1: street town"}


def test_a_column_property_with_a_query_is_asked_as_such(scene: Scene, session: Session) -> None:
    customer: Any = session.get_one(Customer, 1)
    assert scene.reads(session, lambda: customer.order_count) == {"customer 1: id"}
    assert scene.reads(session, lambda: (customer.order_count, customer.order_count)) == {"customer 1: id"}
    assert len(scene.asked) == 2
    assert "count(order_.id)" in str(scene.asked[0])


def test_a_target_that_is_not_there(scene: Scene, session: Session) -> None:
    order = session.get_one(Order, 1)
    session.connection().exec_driver_sql("UPDATE order_ SET customer_id = 77 WHERE id = 1")
    session.expire_all()
    assert scene.reads(session, lambda: order.customer) == {"order_ 1: customer_id", "customer 77:"}


def test_what_the_job_has_made_is_no_dependency(scene: Scene, session: Session) -> None:
    def job() -> None:
        order = Order(id=9, customer_id=1)
        assert order.number is None
        assert order.lines == []
        session.add(order)
        assert order.customer_id == 1
        order.lines.append(Line(position=1))
        assert len(order.lines) == 1

    assert scene.reads(session, job) == set()


def test_own_changes_are_no_questions(scene: Scene, session: Session) -> None:
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


def test_it_raises_where_loading_is_forbidden(scene: Scene, session: Session) -> None:
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


def test_a_table_that_is_not_watched(scene: Scene, session: Session) -> None:
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


def test_the_member_that_is_calculated(scene: Scene, session: Session) -> None:
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
