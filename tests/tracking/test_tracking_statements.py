"""What a job asks its session, its connection and its engine for."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    NullPool,
    StaticPool,
    bindparam,
    create_engine,
    delete,
    func,
    insert,
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
from tests.tracking.tracking_scene import NOW, Base, Card, Clerk, Customer, Guest, Line, Log, Order, Scene, fill

Job = Callable[[Session], object]


GETS: dict[str, tuple[Job, set[str]]] = {
    "get": (lambda session: session.get(Customer, 1), {"customer 1:"}),
    "get_one": (lambda session: session.get_one(Customer, 1), {"customer 1:"}),
    "get nothing": (lambda session: session.get(Customer, 77), {"customer 77:"}),
    "get by a tuple": (lambda session: session.get(Line, (1, 2)), {"line 1/2:"}),
    "get by names": (lambda session: session.get(Line, {"order_id": 1, "position": 7}), {"line 1/7:"}),
    "get by text": (lambda session: session.get(Card, "nix"), {"card nix:"}),
    "get by what can be no key": (lambda session: session.get(Customer, None), {"customer ? all:"}),
    "get a subclass": (lambda session: session.get(Clerk, 2), {"person 2: kind", "clerk 2:"}),
    "get another subclass": (lambda session: session.get(Guest, 2), {"person 2: kind"}),
    "get anew": (lambda session: session.get(Customer, 1, populate_existing=True), {"customer 1:"}),
    "Query.get": (lambda session: session.query(Customer).get(1), {"customer 1:"}),
}


@pytest.mark.parametrize("kind", GETS)
@pytest.mark.filterwarnings("ignore:The Query.get", "ignore:fully NULL primary key")
def test_getting_by_key(scene: Scene, session: Session, kind: str) -> None:
    job, expected = GETS[kind]
    assert scene.reads(session, lambda: job(session)) == expected
    assert scene.reads(session, lambda: job(session)) == expected
    assert scene.asked == []


def test_getting_what_is_not_there(scene: Scene, session: Session) -> None:
    def job() -> None:
        with pytest.raises(NoResultFound):
            session.get_one(Customer, 77)

    assert scene.reads(session, job) == {"customer 77:"}


STATEMENTS: dict[str, Job] = {
    "execute": lambda session: session.execute(select(Order.id)).all(),
    "scalars of objects": lambda session: session.scalars(select(Order)).all(),
    "scalar": lambda session: session.scalar(select(func.count(Order.id))),
    "a function": lambda session: session.scalar(func.count()),
    "query": lambda session: session.query(Order).filter_by(number=8).all(),
    "count of a query": lambda session: session.query(Order).count(),
    "of the connection": lambda session: session.connection().execute(select(Order.__table__)).all(),
    "with options": lambda session: session.scalars(select(Customer).options(selectinload(Customer.orders))).all(),
    "with a parameter": lambda session: session.execute(select(Order.id).where(Order.id == bindparam("n")), {"n": 1}),
    "a union": lambda session: session.execute(select(Order.id).union(select(Customer.id))).all(),
    "from a statement": lambda session: session.scalars(select(Order).from_statement(select(Order))).all(),
    "a constant": lambda session: session.scalar(select(literal_column("1")).select_from(Order)),
    "UPDATE where": lambda session: session.execute(update(Order).where(Order.number == 7).values(note="x")),
    "UPDATE by the connection": lambda session: session.connection().execute(
        update(Order).where(Order.number == 7).values(note="x")
    ),
    "DELETE where": lambda session: session.execute(delete(Log).where(Log.id.in_(select(Order.id)))),
    "INSERT from": lambda session: session.execute(
        insert(Log).from_select(["id", "customer_id"], select(Order.id + 10, Order.customer_id))
    ),
}


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_statement_is_handed_on_once(scene: Scene, session: Session, kind: str) -> None:
    session.execute(select(Customer))
    assert scene.reads(session, lambda: STATEMENTS[kind](session)) == set()
    assert len(scene.asked) >= 1
    assert len({str(statement) for statement in scene.asked}) == 1
    if "UPDATE" not in kind and "DELETE" not in kind:
        assert len(scene.asked) == 1


def _flush(session: Session, new: object) -> None:
    session.add(new)
    session.flush()


NO_QUESTIONS: dict[str, Job] = {
    "INSERT": lambda session: session.execute(insert(Log).values(id=9, customer_id=1)),
    "UPDATE of all": lambda session: session.execute(update(Order).values(note="x")),
    "a savepoint": lambda session: session.begin_nested().commit(),
    "a savepoint undone": lambda session: session.begin_nested().rollback(),
    "a flush": lambda session: _flush(session, Log(id=9, customer_id=1)),
}


@pytest.mark.parametrize("kind", NO_QUESTIONS)
def test_what_asks_nothing(scene: Scene, session: Session, kind: str) -> None:
    assert scene.reads(session, lambda: NO_QUESTIONS[kind](session)) == set()
    assert scene.asked == []


def test_the_parameters_come_along(scene: Scene, session: Session) -> None:
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


def test_the_objects_found_tell_what_is_read_of_them(scene: Scene, session: Session) -> None:
    query = select(Order).where(Order.number == 8)
    assert scene.reads(session, lambda: session.scalars(query).one().amount) == {"order_ 1: amount"}
    assert scene.asked == [query]


def test_ends_that_are_queries(scene: Scene, session: Session) -> None:
    customer = session.get_one(Customer, 1)
    assert scene.reads(session, lambda: customer.asked) == set()
    assert scene.asked == []
    assert scene.reads(session, customer.asked.all) == set()
    assert scene.reads(session, lambda: customer.asked.filter_by(number=8).count()) == set()
    assert scene.reads(session, lambda: session.scalars(customer.written.select()).all()) == set()
    assert [str(asked).count("order_.customer_id") > 0 for asked in scene.asked] == [True, True, True]


def test_options_that_narrow_what_is_loaded(scene: Scene, session: Session) -> None:
    few = select(Customer).options(selectinload(Customer.orders.and_(Order.amount > 10)))
    scene.reads(session, lambda: session.scalars(few).all())
    assert any("WHERE" not in str(asked) and "order_.amount >" in str(asked) for asked in scene.asked)
    session.expunge_all()
    scene.asked.clear()
    fewer = select(Customer).options(with_loader_criteria(Order, Order.note == ""))
    scene.reads(session, lambda: [customer.orders for customer in session.scalars(fewer)])
    assert any("order_.note =" in str(asked) for asked in scene.asked)


def test_options_that_calculate(scene: Scene, session: Session) -> None:
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


def test_connections_of_its_own_are_refused(scene: Scene, session: Session) -> None:
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


def test_engines_of_its_own_are_refused_too(scene: Scene, session: Session) -> None:
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


def test_a_database_in_memory_survives_what_is_refused() -> None:
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
