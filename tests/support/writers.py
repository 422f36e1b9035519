"""Users who write to the model `tests.support.storm` all the time, each to customers of its own."""

import random
import threading
from dataclasses import dataclass, field

from sqlalchemy import URL, Connection, NullPool, create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import afterwork as aw
from tests.support.storm import Customer, Line, Order

DATABASE_IS_AWAY = ("57P01", "57P02", "57P03")
"""PostgreSQL's codes for what is said while it stops, crashes and starts."""

PAUSE = 0.05
"""Seconds between attempts while the database is away."""


@dataclass
class Writer:
    """One user, in a thread of its own. No two of them write the same rows, so that none hinders another one."""

    url: URL
    number: int
    stopping: threading.Event
    failures: list[BaseException] = field(default_factory=list)
    """The transactions that failed for another reason than that the database was away."""
    committed: int = 0

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        chance = random.Random(self.number)
        engine = create_engine(self.url, poolclass=NullPool)
        while not self.stopping.is_set():
            try:
                with Session(engine) as session, session.begin():
                    self._write(session, chance)
                self.committed += 1
            except DBAPIError as error:
                if not is_away(error):
                    self.failures.append(error)
                self.stopping.wait(PAUSE)
            except BaseException as error:
                self.failures.append(error)
        engine.dispose()

    def _write(self, session: Session, chance: random.Random) -> None:
        mine = session.scalars(select(Customer.id).where(Customer.id % 10 == self.number).order_by(Customer.id)).all()
        if len(mine) < 2 or chance.random() < 0.1:
            self._new_customer(session, chance, len(mine))
        for _ in range(chance.randint(1, 3)):
            customer, other = (chance.choice(mine) for _ in range(2)) if mine else (0, 0)
            chance.choice(CHANGES)(session.connection(), customer, other)

    def _new_customer(self, session: Session, chance: random.Random, count: int) -> None:
        customer = Customer(id=10 * (count + 1) + self.number)
        customer.orders = [Order(lines=[Line(quantity=chance.randint(1, 9), price=10)]) for _ in range(2)]
        session.add(customer)
        for method in (customer.assign_number, customer.greet, customer.write_to):
            aw.later(method)


def is_away(error: DBAPIError) -> bool:
    """Whether an error says that the database can't be reached, or that a connection to it was lost."""
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state in DATABASE_IS_AWAY or (state is None and "connection" in str(error))


def _more(connection: Connection, customer: int, _: int) -> None:
    connection.execute(
        text(
            "UPDATE line SET quantity = quantity % 50 + 1 WHERE id IN"
            " (SELECT l.id FROM line l JOIN orders o ON o.id = l.order_id WHERE o.customer_id = :customer)"
        ),
        {"customer": customer},
    )


def _order(connection: Connection, customer: int, _: int) -> None:
    connection.execute(
        text(
            "WITH new AS (INSERT INTO orders (customer_id, total, shipped)"
            " SELECT id, 0, false FROM customer WHERE id = :customer RETURNING id)"
            " INSERT INTO line (order_id, quantity, price) SELECT id, n, 7 FROM new, generate_series(1, 3) n"
        ),
        {"customer": customer},
    )


def _move(connection: Connection, customer: int, other: int) -> None:
    connection.execute(
        text(
            "UPDATE orders SET customer_id = :other"
            " WHERE id = (SELECT max(id) FROM orders WHERE customer_id = :customer) AND :other > 0"
        ),
        {"customer": customer, "other": other},
    )


def _fewer(connection: Connection, customer: int, _: int) -> None:
    connection.execute(
        text(
            "DELETE FROM line WHERE id ="
            " (SELECT max(l.id) FROM line l JOIN orders o ON o.id = l.order_id WHERE o.customer_id = :customer)"
        ),
        {"customer": customer},
    )


CHANGES = (_more, _order, _move, _fewer)
