"""A market in a database, with its clock in the test's hand."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Event
from afterwork.store.caches.tables import cache, manifest
from afterwork.store.journal.tables import touch
from tests.inversion.market import Base, Customer, Line, Order, Region


def rows_of(mapped: Any) -> Any:
    return mapped.__table__


@dataclass
class Market:
    """A market. `ran` runs all that is due and returns what ran, as `Customer.orders Customer!1`, sorted."""

    engine: Engine
    clock: aw.ManualClock = field(default_factory=aw.ManualClock)
    seen: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        Base.metadata.create_all(self.engine)
        self.app = aw.Afterwork(Base, clock=self.clock, on_event=self.seen.append)
        self.app.install(self.engine)

    def fill(self, customers: int = 2, orders: int = 2, lines: int = 2) -> None:
        """Add customers with orders with lines of one piece each, and let all values become right."""
        with self.engine.begin() as connection:
            connection.execute(insert(rows_of(Region)), [{"id": 1, "name": "north"}])
            numbers = range(1, customers + 1)
            connection.execute(insert(rows_of(Customer)), [{"id": n, "name": f"c{n}", "region_id": 1} for n in numbers])
            all_orders = range(1, customers * orders + 1)
            connection.execute(
                insert(rows_of(Order)),
                [{"id": n, "customer_id": (n - 1) // orders + 1, "status": "open"} for n in all_orders],
            )
            all_lines = range(1, customers * orders * lines + 1)
            line = {"quantity": 2, "price": 3, "cancelled": False}
            connection.execute(
                insert(rows_of(Line)), [{"id": n, "order_id": (n - 1) // lines + 1, **line} for n in all_lines]
            )
        self.run()

    def sql(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def run(self) -> list[str]:
        """Run all that is due. Return what ran, sorted."""
        return sorted(f"{ended.run.work} {ended.run.root_id}" for ended in self.app.run_until_idle(self.engine))

    def value(self, member: Any, key: int) -> Any:
        with self.engine.connect() as connection:
            table = member.parent.class_
            return connection.execute(select(member).where(table.id == key)).scalar_one()

    def set(self, table: Any, key: int, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(rows_of(table)).where(table.id == key).values(values))

    def count(self, table: Any) -> int:
        with self.engine.connect() as connection:
            return len(connection.execute(select(table)).all())

    @property
    def manifests(self) -> int:
        return self.count(manifest) + self.count(cache)

    @property
    def touches(self) -> int:
        return self.count(touch)

    def session(self) -> Session:
        return Session(self.engine)
