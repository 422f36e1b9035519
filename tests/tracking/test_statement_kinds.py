"""Every kind of statement is tracked or refused. None is executed unseen."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    DDL,
    Executable,
    MetaData,
    Sequence,
    Table,
    cast,
    exists,
    func,
    insert,
    lambda_stmt,
    literal,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.ext import baked
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, aliased
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.elements import ClauseElement

from afterwork.derived.tracking.hidden_state import untracked
from afterwork.errors import CantTrack, ConnectionOptions, DriverConnection, TextualSQL, UnknownStatement
from tests.support.tracking.scene import Customer, Line, Order, Scene

Job = Callable[[Session], object]


class Odd(Executable, ClauseElement):
    """A kind of statement that a program defines itself."""

    inherit_cache = False


@compiles(Odd)
def _odd(element: Odd, compiler: Any, **options: Any) -> str:
    return "SELECT max(number) FROM order_"


def by_lambda(session: Session) -> object:
    wanted = 1
    return session.scalars(lambda_stmt(lambda: select(Order).where(Order.customer_id == wanted))).all()


def by_a_longer_lambda(session: Session) -> object:
    wanted = 1
    statement = lambda_stmt(lambda: select(Order.number))
    statement += lambda query: query.where(Order.customer_id == wanted)
    return session.connection().execute(statement).all()


def by_a_baked_query(session: Session) -> object:
    bakery: Any = baked.bakery()  # type: ignore[no-untyped-call]
    return bakery(lambda session: session.query(Order))(session).all()


more: Any = DDL("CREATE TABLE more (id INTEGER)")  # type: ignore[no-untyped-call]
new_table = Table("more", MetaData())
largest = select(func.max(Order.number)).scalar_subquery()

TRACKED: dict[str, Job] = {
    "a lambda": by_lambda,
    "a lambda that goes on": by_a_longer_lambda,
    "a function": lambda session: session.scalar(func.max(largest)),
    "a function, by the connection": lambda session: session.connection().scalar(func.abs(largest)),
    "an exists": lambda session: session.scalar(select(exists().where(Order.number == 7))),
    "a baked query": by_a_baked_query,
    "a union": lambda session: session.execute(union_all(select(Order.id), select(Line.order_id))).all(),
    "a CTE": lambda session: session.execute(select(select(Order.id).cte("some"))).all(),
    "an alias": lambda session: session.scalars(select(aliased(Order))).all(),
    "from a statement": lambda session: session.scalars(select(Order).from_statement(select(Order))).all(),
    "a query": lambda session: session.query(Order).filter_by(id=1).all(),
    "a query from a statement": lambda session: session.query(Order).from_statement(select(Order)).all(),
    "a query that counts": lambda session: session.query(Order).count(),
    "a query, a part at a time": lambda session: list(session.query(Order).yield_per(1)),
    "a stream": lambda session: list(session.scalars(select(Order), execution_options={"yield_per": 1})),
    "a lasting connection": lambda session: session.connection().execute(select(Order.id)).all(),
    "what a write takes from elsewhere": lambda session: session.execute(insert(Order).values(id=9, number=largest)),
    "what a change takes from elsewhere": lambda session: session.execute(update(Order).values(number=largest)),
    "what a write copies": lambda session: session.execute(
        insert(Customer).from_select(["id"], select(Order.id + literal(10)))
    ),
}

REFUSED: dict[str, tuple[Job, type[CantTrack]]] = {
    "one that is made up": (lambda session: session.execute(Odd()), UnknownStatement),
    "one that is made up, by the connection": (lambda session: session.connection().execute(Odd()), UnknownStatement),
    "DDL": (lambda session: session.execute(more), UnknownStatement),
    "a new table": (lambda session: session.execute(CreateTable(new_table)), UnknownStatement),
    "a sequence": (lambda session: session.connection().scalar(Sequence("some")), UnknownStatement),
    "a text within a lambda": (lambda session: session.execute(lambda_stmt(lambda: text("SELECT 1"))), TextualSQL),
    "a text within a function": (lambda session: session.scalar(func.max(text("number"))), TextualSQL),
    "a text that is cast": (lambda session: session.scalar(select(cast(text("1"), Order.number.type))), TextualSQL),
    "a cursor": (lambda session: session.connection().connection.cursor(), DriverConnection),
    "the driver's connection": (lambda session: session.connection().connection.driver_connection, DriverConnection),
    "the pool's": (lambda session: session.connection().connection.dbapi_connection, DriverConnection),
    "a method of the driver's": (lambda session: session.connection().connection.execute("SELECT 1"), DriverConnection),
    "options of the connection": (
        lambda session: session.connection(execution_options={"schema_translate_map": {None: "other"}}),
        ConnectionOptions,
    ),
}


@pytest.mark.parametrize("kind", TRACKED)
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_each_known_kind_of_statement_is_tracked(scene: Scene, session: Session, kind: str) -> None:
    with scene.recorder(session).recording():
        TRACKED[kind](session)
    assert len(scene.asked) == 1


@pytest.mark.parametrize("kind", REFUSED)
def test_an_unknown_statement_is_refused_and_says_what_to_do(scene: Scene, session: Session, kind: str) -> None:
    job, error = REFUSED[kind]
    with scene.recorder(session).recording(), pytest.raises(error, match=r"A cache reads.*aw\.untracked"):
        job(session)
    assert scene.asked == []


def test_an_unknown_statement_is_allowed_if_untracked(scene: Scene, session: Session) -> None:
    with scene.recorder(session).recording(), untracked():
        assert session.execute(Odd()).scalar() == 8
        assert session.connection().connection.cursor().execute("SELECT 7").fetchone() == (7,)


def test_savepoints_read_nothing(scene: Scene, session: Session) -> None:
    with scene.recorder(session).recording():
        with session.begin_nested():
            pass
        session.begin_nested().rollback()
    assert scene.asked == []
