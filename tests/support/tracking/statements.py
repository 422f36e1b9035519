"""Ways to ask a session or connection, and the reads or statements that are expected of them."""

from collections.abc import Callable

from sqlalchemy import (
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Session, selectinload

from tests.support.tracking.scene import Card, Clerk, Customer, Guest, Line, Log, Order

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

NO_QUESTIONS: dict[str, Job] = {
    "INSERT": lambda session: session.execute(insert(Log).values(id=9, customer_id=1)),
    "UPDATE of all": lambda session: session.execute(update(Order).values(note="x")),
    "a savepoint": lambda session: session.begin_nested().commit(),
    "a savepoint undone": lambda session: session.begin_nested().rollback(),
    "a flush": lambda session: _flush(session, Log(id=9, customer_id=1)),
}


def _flush(session: Session, new: object) -> None:
    session.add(new)
    session.flush()
