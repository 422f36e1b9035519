"""A job's statements and lookups, by its session, its connection and its engine."""

from typing import Any

import pytest
from sqlalchemy import (
    NullPool,
    StaticPool,
    bindparam,
    create_engine,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session, aliased, selectinload, with_expression, with_loader_criteria

from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.recorder import Recorder
from afterwork.errors import NotWatched, OwnConnection, TextualSQL
from tests.support.tracking.scene import NOW, Base, Customer, Log, Order, Scene, fill
from tests.support.tracking.statements import GETS, NO_QUESTIONS, STATEMENTS, Job


@pytest.mark.parametrize("kind", GETS)
@pytest.mark.filterwarnings("ignore:The Query.get", "ignore:fully NULL primary key")
def test_each_lookup_by_key_has_its_reads(scene: Scene, session: Session, kind: str) -> None:
    job, expected = GETS[kind]
    assert scene.reads(session, lambda: job(session)) == expected
    assert scene.reads(session, lambda: job(session)) == expected
    assert scene.asked == []


def test_a_lookup_of_a_missing_object_has_its_reads(scene: Scene, session: Session) -> None:
    def job() -> None:
        with pytest.raises(NoResultFound):
            session.get_one(Customer, 77)

    assert scene.reads(session, job) == {"customer 77:"}


@pytest.mark.parametrize("kind", STATEMENTS)
def test_each_statement_is_recorded_once(scene: Scene, session: Session, kind: str) -> None:
    session.execute(select(Customer))
    assert scene.reads(session, lambda: STATEMENTS[kind](session)) == set()
    assert len(scene.asked) >= 1
    assert len({str(statement) for statement in scene.asked}) == 1
    if "UPDATE" not in kind and "DELETE" not in kind:
        assert len(scene.asked) == 1


@pytest.mark.parametrize("kind", NO_QUESTIONS)
def test_statements_that_read_nothing_are_not_recorded(scene: Scene, session: Session, kind: str) -> None:
    assert scene.reads(session, lambda: NO_QUESTIONS[kind](session)) == set()
    assert scene.asked == []


def test_parameters_are_recorded_with_their_statement(scene: Scene, session: Session) -> None:
    told: list[tuple[Any, ...]] = []
    recorder = Recorder(scene.plans, session, NOW, lambda *args, **others: told.append(args))
    one = select(Order.id).where(Order.id == bindparam("n"))
    with recorder.recording():
        session.execute(one, {"n": 1})
        session.connection().execute(one, {"n": 2})
        session.connection().execute(one, [{"n": 3}])
        session.execute(select(Order.id))
    assert [parameters for _, parameters, *_ in told] == [{"n": 1}, {"n": 2}, {"n": 3}, {}]
    assert all(connection is session.connection() for _, _, connection, _ in told)


def test_members_of_found_objects_are_recorded(scene: Scene, session: Session) -> None:
    query = select(Order).where(Order.number == 8)
    assert scene.reads(session, lambda: session.scalars(query).one().amount) == {"order_ 1: amount"}
    assert scene.asked == [query]


def test_relationships_that_are_queries_are_recorded_as_queries(scene: Scene, session: Session) -> None:
    customer = session.get_one(Customer, 1)
    assert scene.reads(session, lambda: customer.asked) == set()
    assert scene.asked == []
    assert scene.reads(session, customer.asked.all) == set()
    assert scene.reads(session, lambda: customer.asked.filter_by(number=8).count()) == set()
    assert scene.reads(session, lambda: session.scalars(customer.written.select()).all()) == set()
    assert [str(asked).count("order_.customer_id") > 0 for asked in scene.asked] == [True, True, True]


def test_options_that_narrow_a_relationship_are_recorded(scene: Scene, session: Session) -> None:
    few = select(Customer).options(selectinload(Customer.orders.and_(Order.amount > 10)))
    scene.reads(session, lambda: session.scalars(few).all())
    assert any("WHERE" not in str(asked) and "order_.amount >" in str(asked) for asked in scene.asked)
    session.expunge_all()
    scene.asked.clear()
    fewer = select(Customer).options(with_loader_criteria(Order, Order.note == ""))
    scene.reads(session, lambda: [customer.orders for customer in session.scalars(fewer)])
    assert any("order_.note =" in str(asked) for asked in scene.asked)


def test_options_that_calculate_a_member_are_recorded(scene: Scene, session: Session) -> None:
    query = select(Customer).options(with_expression(Customer.extra, func.length(Customer.town)))
    scene.reads(session, lambda: [customer.extra for customer in session.scalars(query)])
    assert "length(customer.town)" in str(scene.asked[0])


TEXTS: dict[str, Job] = {
    "text": lambda session: session.execute(text("SELECT 1")),
    "text by the connection": lambda session: session.connection().execute(text("SELECT 1")),
    "SQL for the driver": lambda session: session.connection().exec_driver_sql("SELECT 1"),
    "a condition": lambda session: session.execute(select(Order.id).where(text("number = 7"))),
    "a column": lambda session: session.execute(select(literal_column("number")).select_from(Order)),
    "a subquery": lambda session: session.execute(select(literal_column("(select max(id) from tag)"))),
    "objects from a text": lambda session: session.scalars(select(Order).from_statement(text("SELECT * FROM order_"))),
    "columns of a text": lambda session: session.execute(text("SELECT 1 AS id").columns(Order.id)),
    "an alias": lambda session: session.execute(select(aliased(Order).id).order_by(text("1"))),
    "a write": lambda session: session.execute(update(Order).where(text("number = 7")).values(note="x")),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_textual_sql_is_refused(scene: Scene, session: Session, kind: str) -> None:
    with scene.recorder(session).recording():
        with pytest.raises(TextualSQL, match=r"text.*select.*aw\.untracked"):
            TEXTS[kind](session)
        with untracked():
            TEXTS[kind](session)
    TEXTS[kind](session)


def test_own_connections_are_refused(scene: Scene, session: Session) -> None:
    engine = scene.engine
    with scene.recorder(session).recording():
        for _ in range(20):
            with pytest.raises(OwnConnection, match=r"connection of its own.*aw\.session"):
                engine.connect()
        with Session(engine) as own, pytest.raises(OwnConnection):
            own.execute(select(Order.id))
        with untracked(), engine.connect() as connection:
            connection.execute(select(Order.id))
        with Session(session.connection()) as shared:
            assert shared.get(Order, 1) is not None
    with engine.connect() as connection:
        connection.execute(select(Order.id))
    assert len(scene.asked) == 1


def test_own_engines_are_refused_too(scene: Scene, session: Session) -> None:
    other = create_engine(scene.engine.url, poolclass=NullPool)
    with scene.recorder(session).recording():
        for connect in (other.connect, other.raw_connection, scene.engine.raw_connection):
            with pytest.raises(OwnConnection, match=r"another database.*aw\.untracked"):
                connect()
        with Session(other) as own, pytest.raises(OwnConnection):
            own.scalars(select(Order)).all()
        with untracked(), other.connect() as connection:
            connection.execute(select(Order.id))
    with other.connect() as connection, Session(scene.engine) as own:
        assert connection.execute(select(Order.id)).all() == own.execute(select(Order.id)).all()


def test_a_database_in_memory_survives_a_refusal() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    scene = Scene(engine)
    with Session(engine) as session:
        fill(session)
        with scene.recorder(session).recording():
            for _ in range(3):
                with pytest.raises(OwnConnection):
                    engine.connect()
        assert session.get(Customer, 1) is not None


def test_a_class_that_is_not_watched(scene: Scene, session: Session) -> None:
    with scene.recorder(session).recording(), pytest.raises(NotWatched, match="log"):
        session.get(Log, 1)
