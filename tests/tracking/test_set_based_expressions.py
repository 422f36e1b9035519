"""Members that say what they are in SQL: calculated and looked into for many objects at once."""

from collections import defaultdict
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, insert, inspect, select
from sqlalchemy.orm import aliased

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.query import SetBasedExpression
from tests.support.tracking.query_world import (
    Customer,
    Line,
    Order,
    Tag,
    World,
    create,
    is_affected,
    tracked_tables_for,
)

Row = dict[str, Any]


def orders_of(world: World, customer: Row) -> list[Row]:
    return [row for row in world.rows[Order.__table__] if row["customer_id"] == customer["id"]]  # type: ignore[index]


def lines_of(world: World, customer: Row) -> list[Row]:
    numbers = {order["id"] for order in orders_of(world, customer)}
    return [row for row in world.rows[Line.__table__] if row["order_id"] in numbers]  # type: ignore[index]


LINES = (
    select(func.coalesce(func.sum(Line.quantity), 0))
    .join(Order, Order.id == Line.order_id)
    .where(Order.customer_id == Customer.id)
    .scalar_subquery()
)
PAID = (
    select(func.count(Order.amount)).where(Order.customer_id == Customer.id, Order.is_paid, Order.amount > 1)
).scalar_subquery()

EXPRESSIONS: dict[str, Any] = {
    "a sum over two tables": (LINES, lambda w, c: sum(line["quantity"] for line in lines_of(w, c))),
    "own columns": (func.coalesce(Customer.level, 0) + Customer.id, lambda w, c: (c["level"] or 0) + c["id"]),
    "both": (
        LINES + PAID + Customer.id,
        lambda w, c: (
            sum(line["quantity"] for line in lines_of(w, c))
            + sum(1 for order in orders_of(w, c) if order["is_paid"] and order["amount"] > 1)
            + c["id"]
        ),
    ),
}


@pytest.fixture(params=EXPRESSIONS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def set_based(connection: Connection, expression: Any) -> SetBasedExpression:
    return SetBasedExpression(inspect(Customer), expression, tracked_tables_for(connection.dialect), connection.dialect)


def reads_of(connection: Connection, side: SetBasedExpression, keys: list[tuple[Any, ...]]) -> dict[Any, Reads]:
    return side.reads(keys, connection.execute(side.provenance(keys)).all())


def keys_in(world: World) -> list[tuple[Any, ...]]:
    return [(row["id"],) for row in world.rows[Customer.__table__]]  # type: ignore[index]


def test_sql_values_equal_those_of_the_python_side(engine: Engine, kind: str) -> None:
    create(engine)
    expression, in_python = EXPRESSIONS[kind]
    for seed in range(20):
        with engine.begin() as connection:
            world = World(connection, Random(seed))
            side = set_based(connection, expression)
            assert side.reason is None
            rows = connection.execute(side.values(keys_in(world))).all()
            customers = world.rows[Customer.__table__]  # type: ignore[index]
            assert dict(map(tuple, rows)) == {row["id"]: in_python(world, row) for row in customers}


def test_only_the_requested_roots_are_calculated_together_or_alone(engine: Engine) -> None:
    create(engine)
    with engine.begin() as connection:
        connection.execute(insert(Customer), [{"id": 1}, {"id": 2}, {"id": 3}])
        connection.execute(insert(Order), [{"id": 5, "customer_id": 1}])
        connection.execute(insert(Line), [{"order_id": 5, "position": 1, "quantity": 4}])
        side = set_based(connection, LINES)
        assert set(map(tuple, connection.execute(side.values([(1,), (3,), (9,)])))) == {(1, 4), (3, 0)}
        assert connection.execute(side.value(), side.parameters((1,))).all() == [(1, 4)]
        assert connection.execute(side.value(), side.parameters((9,))).all() == []


def test_a_change_of_a_value_affects_what_its_root_has_read(engine: Engine) -> None:
    create(engine)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32), st.sampled_from(sorted(EXPRESSIONS)))
    def run(seed: int, kind: str) -> None:
        with engine.connect() as connection, connection.begin() as transaction:
            _check(connection, seed, EXPRESSIONS[kind][0])
            transaction.rollback()

    run()


def _check(connection: Connection, seed: int, expression: Any) -> None:
    world = World(connection, Random(seed))
    side, tracked_tables = set_based(connection, expression), tracked_tables_for(connection.dialect)
    keys = keys_in(world)
    reads = reads_of(connection, side, keys)
    before = dict(map(tuple, connection.execute(side.values(keys))))
    structural = dict(side.deciding_columns)
    for _ in range(10):
        savepoint = connection.begin_nested()
        changed = world.change()
        after = dict(map(tuple, connection.execute(side.values(keys))))
        for (key,) in keys:
            affected = is_affected(reads[(key,)], changed, tracked_tables, connection.dialect)
            assert affected or key not in after or after[key] == before[key], (seed, key, changed)
        tracked = tracked_tables.of(changed.table)
        assert tracked is not None
        if changed.old is not None and changed.new is not None:
            mask = tracked.mask(name for name, value in changed.old.items() if value != changed.new[name])
            if not mask & structural.get(tracked.id, 0):
                assert reads_of(connection, side, keys) == reads
        savepoint.rollback()


def test_a_sum_is_tracked_by_the_links_alone(engine: Engine) -> None:
    create(engine)
    with engine.begin() as connection:
        connection.execute(insert(Customer), [{"id": 1}, {"id": 2}])
        connection.execute(insert(Order), [{"id": 5, "customer_id": 1}, {"id": 6, "customer_id": 2}])
        side = set_based(connection, LINES)
        found = reads_of(connection, side, [(1,), (2,)])
        words = {key: sorted((where.equal, values) for where, values in reads.queries) for key, reads in found.items()}
        assert words == {
            (1,): [(("customer_id",), "1"), (("order_id",), "5")],
            (2,): [(("customer_id",), "2"), (("order_id",), "6")],
        }
        assert all(not reads.rows for reads in found.values())
        by_name = {side.tracked_tables.by_id[tracked].table.name: mask for tracked, mask in side.deciding_columns}
        masks = defaultdict(int, by_name)
        assert list(side.tracked_tables.by_id[2].names(masks["orders"])) == ["customer_id"]
        assert masks["line"] == side.tracked_tables.by_id[3].mask(["order_id"])
        assert masks["customer"] == 0


def test_an_expression_that_cannot_be_tracked_says_why(engine: Engine) -> None:
    create(engine)
    other = aliased(Order)
    with engine.connect() as connection:
        unlinked = select(func.max(Order.amount)).where(Order.status > "a").scalar_subquery()
        assert "no equality" in str(set_based(connection, unlinked).reason)
        assert "other tables" in str(set_based(connection, other.amount).reason)
        assert "can't be tracked" in str(set_based(connection, func.now()).reason)
        assert set_based(connection, select(func.count(Tag.id)).scalar_subquery()).reason is None
