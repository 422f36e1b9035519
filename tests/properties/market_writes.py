"""Random writes to a market whose derived members are said as queries."""

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, Engine, delete, insert, select, update

from afterwork.derived.inversion.plans import refresh_plans
from afterwork.store.dialects import entries_of, refresh_of
from afterwork.store.journal import capture
from afterwork.store.journal.refresh import RefreshPlan, pending_touches
from afterwork.store.journal.tables import touch
from tests.inversion.market import Base, Customer, Line, Order, Product, Region, app
from tests.inversion.scene import rows_of

TABLES: list[Any] = [Region, Customer, Order, Product, Line]
keys = st.integers(1, 4)
links = st.none() | keys
VALUES: Mapping[type, Mapping[str, Any]] = {
    Region: {"name": st.sampled_from("ab")},
    Customer: {"name": st.sampled_from("xy"), "region_id": links},
    Order: {"customer_id": links, "follows_id": links, "status": st.sampled_from(["open", "sent"])},
    Product: {"kind": st.sampled_from("ab")},
    Line: {
        "order_id": links,
        "product_id": links,
        "quantity": st.integers(0, 9),
        "price": st.integers(0, 3),
        "cancelled": st.booleans(),
        "note": st.sampled_from("mn"),
    },
}


class Market:
    """A market in a database, with the plans of its derived members."""

    def __init__(self, engine: Engine) -> None:
        Base.metadata.create_all(engine)
        app.install(engine)
        self.engine, self.database = engine, app.database(engine)
        with closing(self.database.connect()) as connection:
            tables = capture.load(connection, app.model.tables)
            plans = refresh_plans(connection, app.model.derivations.values(), tables)
        self.plans = [plan for plan in plans.values() if isinstance(plan, RefreshPlan)]
        assert {name for name, plan in plans.items() if isinstance(plan, str)} == set(), plans
        self.refreshes = [refresh_of(plan, engine.dialect.name) for plan in self.plans]

    def clear(self) -> None:
        with self.engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(delete(table))
            connection.execute(delete(touch))

    def wrong(self, connection: Connection, plan: RefreshPlan) -> set[tuple[Any, ...]]:
        value: Any = plan.value
        query = select(*plan.key).where(plan.member.is_distinct_from(value))
        return {tuple(row) for row in connection.execute(query)}

    def touched(self, connection: Connection, plan: RefreshPlan) -> set[tuple[Any, ...]]:
        found: set[tuple[Any, ...]] = set()
        for way in plan.ways:
            query = way.roots(touch.c).where(touch.c.route == way.route)
            found |= {tuple(row) for row in connection.execute(query)}
        return found

    def from_scratch(self, connection: Connection) -> dict[str, list[Any]]:
        """Return all values as they should be, whatever is stored."""
        return {
            refresh.plan.name: sorted(
                (tuple(row[:-3]), row.value) for row in connection.execute(refresh.from_scratch())
            )
            for refresh in self.refreshes
        }

    def stored(self, connection: Connection) -> dict[str, list[Any]]:
        return {
            plan.name: sorted((tuple(row[:-1]), row[-1]) for row in connection.execute(select(*plan.key, plan.member)))
            for plan in self.plans
        }

    def refresh_all(self) -> int:
        """Refresh until nothing is touched. Return the number of steps."""
        steps = 0
        with closing(self.database.connect()) as connection:
            while self.is_touched(connection):
                assert steps < 1000
                with self.database.transaction(connection, entries_of(self.engine.dialect.name).to_take):
                    for refresh in self.refreshes:
                        if count := pending_touches(connection).count(connection, refresh.plan.routes):
                            refresh.step(connection, count, refresh.max_objects, datetime.now(UTC))
                            steps += 1
        return steps

    def is_touched(self, connection: Connection) -> bool:
        touched = pending_touches(connection).counts
        connection.rollback()
        return bool(touched)


class Writes(RuleBasedStateMachine):
    """Random writes to a market."""

    market: Market

    @initialize()
    def begin(self) -> None:
        self.market.clear()

    @rule(data=st.data(), count=st.integers(1, 3), refreshes=st.booleans())
    def write(self, data: st.DataObject, count: int, refreshes: bool) -> None:
        with self.market.engine.begin() as connection:
            for _ in range(count):
                self._write(connection, data)
        if refreshes:
            self.market.refresh_all()

    def _write(self, connection: Connection, data: st.DataObject) -> None:
        table = data.draw(st.sampled_from(TABLES))
        values = data.draw(st.fixed_dictionaries({}, optional=dict(VALUES[table])))
        key = data.draw(keys)
        match data.draw(st.sampled_from(["insert", "insert", "update", "update", "update all", "delete", "move"])):
            case "insert":
                known = connection.execute(select(table.id).where(table.id == key)).first()
                if known is None:
                    connection.execute(insert(rows_of(table)).values(id=key, **values))
            case "update" if values:
                connection.execute(update(rows_of(table)).where(table.id == key).values(values))
            case "update all" if values:
                connection.execute(update(rows_of(table)).values(values))
            case "delete":
                connection.execute(delete(rows_of(table)).where(table.id == key))
            case "move":
                connection.execute(update(rows_of(table)).where(table.id == key).values(id=key + 10))

    @rule(key=keys, number=st.integers(0, 3))
    def overwrite(self, key: int, number: int) -> None:
        with self.market.engine.begin() as connection:
            connection.execute(update(rows_of(Customer)).where(Customer.id == key).values(orders=number))

    @invariant()
    def each_wrong_object_is_touched(self) -> None:
        with self.market.engine.connect() as connection:
            for plan in self.market.plans:
                wrong, touched = self.market.wrong(connection, plan), self.market.touched(connection, plan)
                assert wrong <= touched, (plan.name, wrong - touched)

    def teardown(self) -> None:
        with self.market.engine.connect() as connection:
            expected = self.market.from_scratch(connection)
        self.market.refresh_all()
        with self.market.engine.connect() as connection:
            assert self.market.stored(connection) == expected
            for plan in self.market.plans:
                assert self.market.wrong(connection, plan) == set(), plan.name
