"""A shop whose customers have calculated totals, as releases of an application that follow one another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from sqlalchemy import Engine, ForeignKey, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from afterwork.events import Event, Missed
from tests.support.prepared import begin_with

ALIVE: list[type] = []
"""The classes of releases, which SQLAlchemy alone would let go of."""


@cache
def release(
    orders: str = "orders",
    *,
    schema: str | None = None,
    watched: bool = True,
    tickets: str = "sys_async_ticket",
    cached: bool = True,
) -> type[DeclarativeBase]:
    """A model with customers and orders, the same one for the same arguments. Its table of orders, and of tickets, has
    a certain name."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base):
        __tablename__ = tickets

    class Customer(Base):
        __tablename__ = "customer"
        id: Mapped[int] = mapped_column(primary_key=True)
        total: Mapped[int] = mapped_column(default=0, server_default="0")
        orders: Mapped[list["Order"]] = relationship()

        if cached:

            @aw.derived(total)
            def compute_total(self) -> int:
                return sum(order.amount for order in self.orders)

    class Order(Base):
        __tablename__ = orders
        __table_args__ = {"schema": schema, "info": {} if watched else dict(aw.UNWATCHED)}
        id: Mapped[int] = mapped_column(primary_key=True)
        customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
        amount: Mapped[int]

    ALIVE.extend((SysAsyncTicket, Customer, Order))
    return Base


@dataclass
class Place:
    """A database, and the release of the application that is at work there."""

    engine: Engine
    base: type[DeclarativeBase] = field(default_factory=release)
    seen: list[Event] = field(default_factory=list)
    settings: aw.Settings = field(default_factory=aw.Settings)

    def __post_init__(self) -> None:
        self.deploy(self.base)

    def deploy(self, base: type[DeclarativeBase]) -> None:
        """Replace the release, without installing it."""
        self.base = base
        self.app = aw.Afterwork(base, on_event=self.seen.append, settings=self.settings)

    def install(self) -> list[str]:
        return self.app.install(self.engine)

    def run(self) -> list[str]:
        """Run all that is due. Returns which caches ran on what."""
        return [f"{ended.run.work} {ended.run.root_id}" for ended in self.app.run_until_idle(self.engine)]

    def sql(self, *statements: str) -> None:
        """Do something as another program would, each statement in a transaction of its own."""
        for statement in statements:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text(statement))

    def sql_at_once(self, *statements: str) -> None:
        """The same, all in one transaction."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in ("BEGIN", *statements, "COMMIT"):
                connection.exec_driver_sql(statement)

    def total(self, customer: int = 1) -> object:
        with self.engine.connect() as connection:
            return connection.execute(text(f"SELECT total FROM customer WHERE id = {customer}")).scalar()

    @property
    def missed(self) -> list[Missed]:
        """What servers said of changes that they may have missed."""
        return [one for one in self.seen if isinstance(one, Missed)]

    def faults(self) -> list[str]:
        """What `check` says is wrong with capture."""
        found = self.app.insight(self.engine).check()
        return [finding.what for finding in found if not finding.right and finding.topic == "capture"]


PLAIN = (
    "CREATE TABLE customer (id INTEGER PRIMARY KEY, total INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer,"
    " amount INTEGER NOT NULL)",
)

PARTS = (
    PLAIN[0],
    "CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, amount int NOT NULL)"
    " PARTITION BY RANGE (id)",
    "CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (1) TO (2)",
    "CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM (2) TO (3) PARTITION BY RANGE (id)",
    "CREATE TABLE orders_2_a PARTITION OF orders_2 FOR VALUES FROM (2) TO (3)",
)

CHILDREN = (*PLAIN, "CREATE TABLE orders_1 () INHERITS (orders)", "CREATE TABLE orders_1_a () INHERITS (orders_1)")

ORDERS = "INSERT INTO orders (id, customer_id, amount) VALUES (1, 1, 1), (2, 1, 2)"


def opened(engine: Engine, *tables: str, settings: aw.Settings | None = None) -> Place:
    """The first release at work: customer 1 has orders of 1 and 2, and so a total of 3."""
    tables = tables or PLAIN
    begin_with(engine, partial(first_release, tables), f"place-{hash(tables)}")
    place = Place(engine, settings=settings or aw.Settings())
    assert place.total() == 3
    return place


def first_release(tables: Sequence[str], engine: Engine) -> None:
    place = Place(engine)
    place.sql(*tables)
    place.base.metadata.create_all(engine)
    place.install()
    place.sql("INSERT INTO customer (id) VALUES (1)", ORDERS)
    place.run()


Deed = Callable[[Place], None]
