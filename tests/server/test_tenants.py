"""Tenants: each has a schema or a file of its own, with all of Afterwork in it, and one program serves them all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, ForeignKey, create_engine, func, inspect, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from starlette.testclient import TestClient
from statemachine import State, StateChart

import afterwork as aw
from afterwork.errors import BadRequest, UnsupportedDatabase
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.waiting import eventually

NAMES = ("alpha", 'of "Beta"', "gamma")


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    greeted: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0, server_default="0")
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    @aw.derived(total)
    def compute_total(self) -> int:
        return sum(order.twice for order in self.orders)

    @aw.method
    def greet(self) -> None:
        self.greeted += 1


class Flow(StateChart[Any]):
    new, paid, sent = State(initial=True), State(), State(final=True)
    pay = new.to(paid)
    paid.to(sent, cond="is_large")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship(back_populates="orders")
    amount: Mapped[int]
    twice: Mapped[int] = mapped_column(default=0, server_default="0")
    state: Mapped[str | None] = mapped_column()
    flow = aw.machine(Flow, state=state)

    def is_large(self) -> bool:
        return self.amount > 1000

    @aw.derived(twice)
    def compute_twice(self) -> int:
        return self.amount * 2

    @compute_twice.expression
    def twice_in_sql(cls):  # type: ignore[no-untyped-def]
        return cls.amount * 2


def translated(engine: Engine, schema: str) -> Engine:
    return engine.execution_options(schema_translate_map={None: schema})


def by_path(engine: Engine, schema: str) -> Engine:
    path = '"' + schema.replace('"', '""') + '"'
    return create_engine(engine.url, connect_args={"options": "-c search_path=" + path.replace(" ", "\\ ")})


def each_a_file(engine: Engine, name: str) -> Engine:
    return create_engine(f"sqlite:///{Path(str(engine.url.database)).parent / name.replace(chr(34), '')}.db")


WAYS = [
    pytest.param("sqlite", each_a_file, id="files"),
    pytest.param("postgresql", translated, id="translated schemas"),
    pytest.param("postgresql", by_path, id="schemas by the search path"),
]


@pytest.fixture
def tenants(url: URL, engine: Engine, way: Callable[[Engine, str], Engine]) -> Iterator[list[Engine]]:
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            for name in NAMES:
                connection.execute(text('CREATE SCHEMA "' + name.replace('"', '""') + '"'))
    engines = [way(engine, name) for name in NAMES]
    for own in engines:
        Base.metadata.create_all(own)
    yield engines
    for own in engines:
        own.dispose()


def order(engine: Engine, *amounts: int) -> None:
    """Save a new customer with orders, and ask that it be greeted."""
    with Session(engine) as session, session.begin():
        customer = Customer(orders=[Order(amount=amount) for amount in amounts])
        session.add(customer)
        session.flush()
        aw.later(customer.greet)
        aw.later(customer.greet, unique=True)


def customers(engine: Engine) -> list[tuple[int, int]]:
    with Session(engine) as session:
        return [(one.greeted, one.total) for one in session.scalars(select(Customer).order_by(Customer.id))]


@pytest.mark.parametrize(("url", "way"), WAYS, indirect=["url"])
def test_one_program_serves_them_all_and_nothing_crosses_over(tenants: Sequence[Engine]) -> None:
    app = aw.Afterwork(Base)
    for engine in tenants:
        assert app.install(engine)
        assert app.install(engine) == []
    with ExitStack() as servers:
        for engine in tenants:
            servers.enter_context(app.serving(engine))
        for number, engine in enumerate(tenants, 1):
            order(engine, number, 10 * number)
        for number, engine in enumerate(tenants, 1):
            eventually(lambda engine=engine, number=number: customers(engine) == [(1, 22 * number)])  # type: ignore[misc]
        with Session(tenants[1]) as session, session.begin():
            session.get_one(Order, 1).amount = 50
        eventually(lambda: customers(tenants[1]) == [(1, 140)])
    assert [customers(engine) for engine in tenants] == [[(1, 22)], [(1, 140)], [(1, 66)]]
    assert [app.verify(engine).differences for engine in tenants] == [[], [], []]


@pytest.mark.parametrize(("url", "way"), WAYS, indirect=["url"])
def test_each_is_looked_at_and_acted_on_by_itself(tenants: Sequence[Engine]) -> None:
    app = aw.Afterwork(Base)
    for engine in tenants:
        app.install(engine)
    order(tenants[1], 5)
    assert [list(app.insight(engine).status().waiting) for engine in tenants] == [[], ["main"], []]
    assert [len(app.insight(engine).tickets().tickets) for engine in tenants] == [0, 1, 0]
    for engine in tenants:
        app.run_until_idle(engine)
        assert [finding for finding in app.insight(engine).check() if finding.is_fault] == []
        with TestClient(aw.web(app, engine), "http://127.0.0.1", client=("127.0.0.1", 50000)) as client:
            assert client.get("/tickets").status_code == 200
            assert client.get("/api/status").status_code == 200
    app.control(tenants[1]).pause("main")
    assert [app.insight(engine).status().paused for engine in tenants] == [[], ["main"], []]


@pytest.mark.parametrize(("url", "way"), WAYS, indirect=["url"])
def test_the_removal_of_one_leaves_the_others_whole(tenants: Sequence[Engine]) -> None:
    app = aw.Afterwork(Base)
    for engine in tenants:
        app.install(engine)
        app.run_until_idle(engine)
    removed = app.uninstall(tenants[0])
    assert len(removed) == len(set(removed))
    assert app.uninstall(tenants[0]) == []
    for engine in tenants[1:]:
        assert app.install(engine) == []
        assert [finding for finding in app.insight(engine).check() if finding.is_fault] == []


@pytest.mark.parametrize(("url", "way"), WAYS, indirect=["url"])
def test_questions_are_answered_from_the_tables_of_the_session_s_tenant(tenants: Sequence[Engine]) -> None:
    app = aw.Afterwork(Base)
    for number, engine in enumerate(tenants, 1):
        app.install(engine)
        order(engine, number)
        app.run_until_idle(engine)
    for number, engine in enumerate(tenants, 1):
        with Session(engine) as session:
            customer = session.get_one(Customer, 1)
            customer.orders[0].amount = 100 * number
            assert aw.is_stale(customer, "total")
            assert aw.fresh(customer, "total") == 200 * number
            assert app.explain(customer, "total").stale is not None
            assert [reader.name for reader in app.impact(customer.orders[0], "amount")] == [
                "Order.twice",
                "Customer.total",
            ]
            customer.orders[0].flow.pay()
            assert app.explain(customer.orders[0], "flow").stands_in == "paid"


@ONLY_POSTGRESQL
def test_a_tenant_is_installed_by_the_connection_that_creates_its_tables(engine: Engine) -> None:
    app = aw.Afterwork(Base)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA alpha"))
        own = connection.execution_options(schema_translate_map={None: "alpha"})
        Base.metadata.create_all(own)
        assert app.install(own)
        assert connection.execute(text("SELECT current_setting('search_path')")).scalar() == '"$user", public'
    assert inspect(engine).get_table_names("public") == []
    tenant = translated(engine, "alpha")
    assert app.install(tenant) == []
    order(tenant, 1)
    app.run_until_idle(tenant)
    assert customers(tenant) == [(1, 2)]
    with tenant.begin() as connection:
        assert app.uninstall(connection)
    assert set(inspect(engine).get_table_names("alpha")) == set(Base.metadata.tables)


@ONLY_POSTGRESQL
def test_a_schema_with_a_name_is_not_followed_to_another(engine: Engine) -> None:
    with pytest.raises(UnsupportedDatabase, match=r"translates the schema 'tenant' to 'alpha'\. .* \{None: 'alpha'"):
        aw.Afterwork(Base).install(engine.execution_options(schema_translate_map={"tenant": "alpha"}))


@ONLY_POSTGRESQL
def test_what_keeps_no_settings_can_have_no_translated_schemas(engine: Engine) -> None:
    app = aw.Afterwork(Base, settings=aw.Settings(listen=False))
    with pytest.raises(UnsupportedDatabase, match=r"Let the role's own search path begin with 'alpha'"):
        app.install(translated(engine, "alpha"))


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_file_that_is_attached_is_no_tenant(engine: Engine) -> None:
    with pytest.raises(UnsupportedDatabase, match="Give each tenant an engine for a file of its own"):
        aw.Afterwork(Base).install(translated(engine, "alpha"))


# A model of which some classes are in another database.


class Archived(Base):
    __tablename__ = "archived"
    id: Mapped[int] = mapped_column(primary_key=True)

    @aw.method
    def restore(self) -> None: ...


@pytest.fixture
def binds(engine: Engine, tmp_path: Path) -> Iterator[dict[Any, Any]]:
    archive = create_engine(f"sqlite:///{tmp_path}/archive.db")
    Base.metadata.create_all(engine, tables=[t for t in Base.metadata.sorted_tables if t.name != "archived"])
    Base.metadata.tables["archived"].create(archive)
    yield {Base: engine, Archived: archive}
    archive.dispose()


def test_classes_in_another_database_change_nothing_for_the_others(engine: Engine, binds: dict[Any, Any]) -> None:
    app = aw.Afterwork(Base)
    app.install(engine)
    with Session(binds=binds) as session, session.begin():
        customer = Customer(orders=[Order(amount=1)])
        session.add_all([customer, Archived()])
        session.flush()
        customer.orders[0].flow.pay()
        aw.later(customer.greet)
    app.run_until_idle(engine)
    with Session(binds=binds) as session:
        customer = session.get_one(Customer, 1)
        assert (customer.greeted, customer.total, customer.orders[0].state) == (1, 2, "paid")
        assert session.scalar(select(func.count()).select_from(Archived)) == 1
        customer.orders[0].amount = 5
        assert (aw.is_stale(customer, "total"), aw.fresh(customer, "total")) == (True, 10)
        assert app.explain(customer, "total").stale is not None
        assert app.explain(customer.orders[0], "flow").stands_in == "paid"
        assert app.impact(customer.orders[0], "amount")


def test_a_ticket_in_another_database_than_its_object_is_refused(engine: Engine, binds: dict[Any, Any]) -> None:
    aw.Afterwork(Base).install(engine)
    with Session(binds=binds) as session:
        archived = Archived()
        session.add(archived)
        aw.later(archived.restore)
        with pytest.raises(BadRequest, match=r"but Archived by .*archive\.db.*: not in one transaction"):
            session.flush()
