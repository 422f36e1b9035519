"""For random statements and changes: a change that alters the answer affects what was read."""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, Select, func, insert, inspect, select
from sqlalchemy.orm import Session

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.query import StatementReader
from tests.support.tracking.query_world import (
    TABLES,
    Changed,
    Customer,
    Line,
    Order,
    World,
    create,
    is_affected,
    tracked_tables_for,
)
from tests.support.tracking.random_statements import Statements

CHANGES = 12


def answer(connection: Connection, statement: Any) -> list[Any]:
    """Return the answer of a statement; of objects only their keys."""
    with Session(connection) as session:
        rows = [tuple(map(_plain, row)) for row in session.execute(statement)]
    ordered = isinstance(statement, Select) and statement._limit_clause is not None
    return rows if ordered else sorted(rows, key=repr)


def _plain(value: Any) -> Any:
    state = inspect(value, raiseerr=False)
    return value if state is None else (type(value).__name__, state.identity)


def check(connection: Connection, seed: int, reader: StatementReader | None = None) -> tuple[int, int]:
    """Return the number of changes that affected the reads, and of those among them that left the answer as it was.

    `reader` may have read other statements before.
    """
    random, dialect = Random(seed), connection.dialect
    tracked_tables = tracked_tables_for(dialect)
    world = World(connection, random)
    statement = Statements(random).any()
    reads = Reads()
    (reader or StatementReader(tracked_tables, dialect)).read(statement, {}, connection, reads)
    anew = Reads()
    StatementReader(tracked_tables, dialect).read(statement, {}, connection, anew)
    assert anew == reads
    before = answer(connection, statement)
    affecting = vain = 0
    for _ in range(CHANGES):
        savepoint = connection.begin_nested()
        changed = world.change()
        after = answer(connection, statement)
        savepoint.rollback()
        affected = is_affected(reads, changed, tracked_tables, dialect)
        assert affected or after == before, f"seed {seed}: {changed}\n{statement}\n{before}\n{after}\n{reads}"
        affecting += affected
        vain += affected and after == before
    return affecting, vain


def test_a_change_of_the_answer_affects_what_was_read(engine: Engine) -> None:
    create(engine)
    reader = StatementReader(tracked_tables_for(engine.dialect), engine.dialect)

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32))
    def run(seed: int) -> None:
        with engine.connect() as connection, connection.begin() as transaction:
            check(connection, seed, reader)
            transaction.rollback()

    run()


EXACT: dict[str, Any] = {
    "one table": select(func.sum(Order.amount)).where(Order.customer_id == 1),
    "a join": select(func.sum(Line.quantity)).join(Order).where(Order.customer_id == 1),
    "three tables": select(Line.quantity).join(Order).join(Customer).where(Customer.id == 1),
    "any": select(Order).where(Order.customer_id == 1, Order.lines.any(Line.kind == "a")),
    "a member that is a subquery": select(
        select(func.sum(Order.amount)).where(Order.customer_id == Customer.id).scalar_subquery()
    ).where(Customer.id == 1),
}


@pytest.mark.parametrize("kind", EXACT)
def test_unrelated_rows_affect_nothing(engine: Engine, kind: str) -> None:
    create(engine)
    dialect = engine.dialect
    tracked_tables, reads = tracked_tables_for(dialect), Reads()
    customer, order, line = TABLES[:3]
    other = [
        (customer, {"id": 2, "name": "a", "level": 1, "sponsor_id": None, "first_line": 0}),
        (order, {"id": 20, "customer_id": 2, "status": "a", "amount": 2, "is_paid": True}),
        (line, {"order_id": 20, "position": 1, "kind": "b", "quantity": 2}),
    ]
    with engine.begin() as connection:
        connection.execute(insert(customer), [{"id": 1, "name": "a", "first_line": 0}])
        connection.execute(insert(order), [{"id": 10, "customer_id": 1, "amount": 2, "is_paid": True}])
        connection.execute(insert(line), [{"order_id": 10, "position": 1, "kind": "a", "quantity": 2}])
        for table, row in other:
            connection.execute(insert(table), [row])
        StatementReader(tracked_tables, dialect).read(EXACT[kind], {}, connection, reads)
    assert reads.rows or reads.queries
    for table, row in other:
        changes = [Changed(table, row, None), Changed(table, None, row)]
        free = {"name": "z", "status": "z", "amount": 9, "quantity": 9, "kind": "z", "is_paid": False}
        changes += [Changed(table, row, {**row, name: free[name]}) for name in row.keys() & free.keys()]
        assert not [one for one in changes if is_affected(reads, one, tracked_tables, dialect)]
