"""The contract: a class of the name SysAsyncTicket, however it is written and mapped."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    inspect,
    select,
    text,
)
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, registry

import afterwork as aw
from afterwork.errors import BadRequest
from afterwork.insight import TicketFilter
from tests.support.world import World, everything, the_only

NAIVE = DateTime()
ZONED = DateTime(timezone=True)


class Greeter:
    """What the customers of all models here can do."""

    greeted: Any

    @aw.method
    def greet(self) -> None:
        self.greeted = "hello"

    @aw.method(external=True)
    def call(self) -> None:
        self.greeted = f"called by {aw.current_run().id}"

    @aw.method(retry=aw.Retry(attempts=3, backoff=timedelta(0)))
    def stumble(self) -> None:
        raise ValueError("again")


def written_by_hand(moment: Any, key: Any = None) -> type[Any]:
    """A model whose ticket is written in MDriven's spelling, with nothing that is optional."""

    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(Base):
        __tablename__ = "Tickets"
        Key: Mapped[Any] = key if key is not None else mapped_column(Integer, primary_key=True)
        ViewModel: Mapped[Any] = mapped_column(Text, nullable=True)
        RootId: Mapped[Any] = mapped_column(Text, nullable=True)
        ExecuteEarliest: Mapped[Any] = mapped_column(moment, nullable=True)
        KeepReceiptMinutes: Mapped[Any] = mapped_column(Integer, default=10)
        Done: Mapped[Any] = mapped_column(moment, nullable=True)
        DeleteTime: Mapped[Any] = mapped_column(moment, nullable=True)
        Error: Mapped[Any] = mapped_column(Text, nullable=True)

    class Customer(Greeter, Base):
        __tablename__ = "customer"
        id: Mapped[int] = mapped_column(primary_key=True)
        greeted: Mapped[str | None]

    Base.Ticket, Base.Customer = SysAsyncTicket, Customer
    return Base


def add(world: World, work: str, **values: Any) -> None:
    """Save a customer with a ticket."""
    with world.session() as session, session.begin():
        customer = world.base.Customer()
        session.add(customer)
        session.add(world.base.Ticket(ViewModel=work, root_object=customer, **values))


@pytest.mark.parametrize("moment", [NAIVE, ZONED], ids=["naive", "aware"])
def test_a_class_in_the_spelling_of_mdriven_serves(engine: Engine, moment: DateTime) -> None:
    world = World(engine, written_by_hand(moment))
    add(world, "Customer.greet")

    world.run()

    ticket = the_only(engine, world.base.Ticket)
    assert the_only(engine, world.base.Customer).greeted == "hello"
    assert ticket.RootId == "Customer!1"
    assert ticket.Error is None
    assert ticket.DeleteTime - ticket.Done == timedelta(minutes=10)


@pytest.mark.parametrize("moment", [NAIVE, ZONED], ids=["naive", "aware"])
def test_naive_columns_hold_utc(engine: Engine, moment: DateTime) -> None:
    """A ticket that is asked for in another zone begins at its moment, whatever the columns keep."""
    world = World(engine, written_by_hand(moment))
    with world.session() as session, session.begin():
        customer = world.base.Customer()
        session.add(customer)
        aw.later(customer.greet, at=datetime.now(UTC).astimezone() + timedelta(hours=2))

    world.clock.advance(timedelta(hours=1, minutes=50))
    world.run()
    assert the_only(engine, world.base.Customer).greeted is None

    world.clock.advance(timedelta(minutes=20))
    world.run()
    assert the_only(engine, world.base.Customer).greeted == "hello"
    done = the_only(engine, world.base.Ticket).Done
    assert (done if done.tzinfo else done.replace(tzinfo=UTC)) == world.clock.now()


def test_receipts_of_naive_columns_are_deleted_at_their_time(engine: Engine) -> None:
    world = World(engine, written_by_hand(NAIVE))
    add(world, "Customer.greet", KeepReceiptMinutes=60)
    world.run()

    world.clock.advance(timedelta(minutes=59))
    world.run()
    assert len(everything(engine, world.base.Ticket)) == 1

    world.clock.advance(timedelta(minutes=2))
    world.run()
    assert everything(engine, world.base.Ticket) == []


def test_without_attempts_no_retry_policy_applies(engine: Engine) -> None:
    """Where nothing counts the attempts, the first that raises is the last."""
    world = World(engine, written_by_hand(ZONED))
    add(world, "Customer.stumble")

    world.run()

    assert the_only(engine, world.base.Ticket).Error.startswith("ValueError: again")


def test_priority_or_lane_that_the_class_has_no_room_for_is_refused(engine: Engine) -> None:
    world = World(engine, written_by_hand(ZONED))
    with world.session() as session:
        customer = world.base.Customer()
        session.add(customer)
        with pytest.raises(
            BadRequest, match=r"SysAsyncTicket has no attribute priority\. Add it, priority: Mapped\[int \| None\]"
        ):
            aw.later(customer.greet, priority=1)
        with pytest.raises(
            BadRequest, match=r"no attribute lane\. Add it, lane: Mapped\[str \| None\], .* or ask without lane="
        ):
            aw.later(customer.greet, lane="other")


@pytest.mark.parametrize("work", ["Customer.greet", "Customer.call"])
@pytest.mark.parametrize(
    "kind",
    [
        lambda: mapped_column(primary_key=True, type_=Uuid(), default=uuid.uuid4),
        lambda: mapped_column(String(40), primary_key=True, default=lambda: f"ticket-{uuid.uuid4().hex}"),
    ],
    ids=["uuid", "text"],
)
def test_a_tickets_key_may_be_of_any_type(engine: Engine, kind: Any, work: str) -> None:
    world = World(engine, written_by_hand(ZONED, kind()))
    add(world, work)
    add(world, work)

    assert len(world.run()) == 2

    assert [ticket.Error for ticket in world.all(world.base.Ticket)] == [None, None]
    assert all(customer.greeted for customer in world.all(world.base.Customer))


@pytest.mark.parametrize("kind", ["uuid", "text"])
def test_a_ticket_of_any_key_can_be_retried_by_hand(engine: Engine, kind: str) -> None:
    column = mapped_column(String(40), primary_key=True, default=lambda: uuid.uuid4().hex)
    if kind == "uuid":
        column = mapped_column(Uuid(), primary_key=True, default=uuid.uuid4)
    world = World(engine, written_by_hand(ZONED, column))
    add(world, "Customer.stumble")
    world.run()
    key = world.app.insight(engine).tickets(TicketFilter("failed")).tickets[0].key

    world.app.control(engine).retry(key)

    assert the_only(engine, world.base.Ticket).Error is None


REFLECTED = """
CREATE TABLE "SysAsyncTicket" (
    "Id" {key}, "ViewModel" VARCHAR(200), "RootId" VARCHAR(200), "ExecuteEarliest" {moment},
    "KeepReceiptMinutes" INTEGER NOT NULL DEFAULT 10, "Done" {moment}, "DeleteTime" {moment}, "Error" TEXT,
    "Priority" INTEGER, "Lane" VARCHAR(40), "Attempts" INTEGER NOT NULL DEFAULT 0,
    "CreateTime" {moment} DEFAULT CURRENT_TIMESTAMP
)
"""


@pytest.mark.parametrize("moment", ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"])
def test_a_reflected_table_serves(engine: Engine, moment: str) -> None:
    """The tables are made by somebody else; automap finds the ticket class, nobody writes it."""
    on_sqlite = engine.dialect.name == "sqlite"
    with engine.begin() as connection:
        key = "INTEGER NOT NULL PRIMARY KEY" if on_sqlite else "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        connection.execute(text(REFLECTED.format(key=key, moment="TIMESTAMP" if on_sqlite else moment)))
        connection.execute(text(f"CREATE TABLE customer (id {key}, greeted VARCHAR(100))"))
    base: Any = automap_base()
    made = type("Customer", (Greeter, base), {"__tablename__": "customer", "__module__": __name__})
    base.prepare(engine)
    app = aw.Afterwork(base)
    app.install(engine)

    with Session(engine) as session, session.begin():
        for _ in range(2):
            customer = made()
            session.add_all([customer, base.classes.SysAsyncTicket(ViewModel="Customer.greet", root_object=customer)])
        aw.later(customer.call, priority=1)
    ended = app.run_until_idle(engine)

    assert [one.run.work for one in ended] == ["Customer.call", "Customer.greet", "Customer.greet"]
    assert [customer.greeted for customer in everything(engine, made)] == ["hello", "hello"]
    assert [ticket.Error for ticket in everything(engine, base.classes.SysAsyncTicket)] == [None] * 3


def test_an_imperative_mapping_serves(engine: Engine) -> None:
    class SysAsyncTicket:
        def __init__(self, **values: Any) -> None:
            for name, value in values.items():
                setattr(self, name, value)

    class Customer(Greeter):
        id: int

    mapped = registry()
    mapped.map_imperatively(
        SysAsyncTicket,
        Table(
            "ticket",
            mapped.metadata,
            Column("nr", Integer, primary_key=True),
            Column("what", Text, key="view_model"),
            Column("on_what", Text),
            Column("earliest", DateTime(timezone=True)),
            Column("keep", Integer, nullable=False, default=10),
            Column("done", DateTime(timezone=True)),
            Column("gone", DateTime(timezone=True)),
            Column("why_not", Text),
            Column("urgency", Integer),
        ),
        properties={
            "rootId": mapped.metadata.tables["ticket"].c.on_what,
            "executeEarliest": mapped.metadata.tables["ticket"].c.earliest,
            "keepReceiptMinutes": mapped.metadata.tables["ticket"].c.keep,
            "deleteTime": mapped.metadata.tables["ticket"].c.gone,
            "error": mapped.metadata.tables["ticket"].c.why_not,
            "priority": mapped.metadata.tables["ticket"].c.urgency,
        },
    )
    mapped.map_imperatively(
        Customer,
        Table("customer", mapped.metadata, Column("id", Integer, primary_key=True), Column("greeted", Text)),
    )
    world = World(engine, mapped)
    with world.session() as session, session.begin():
        ann, bob = Customer(), Customer()
        session.add_all([SysAsyncTicket(view_model="Customer.greet", root_object=ann, priority=2), ann, bob])
        aw.later(bob.call, priority=1)

    ended = world.run()

    assert [one.run.work for one in ended] == ["Customer.call", "Customer.greet"]
    assert next(customer.greeted for customer in world.all(Customer)) == "hello"
    assert [ticket.rootId for ticket in world.all(SysAsyncTicket)] == ["Customer!1", "Customer!2"]


def test_the_mixins_table_can_be_named_otherwise(engine: Engine) -> None:
    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention={"ix": "ix_%(column_0_label)s", "pk": "pk_%(table_name)s"})

    class SysAsyncTicket(aw.AsyncTicket, Base):
        __tablename__ = "Work to do"

    class Customer(Greeter, Base):
        __tablename__ = "Customer"
        id: Mapped[int] = mapped_column("Customer Nr", primary_key=True)
        greeted: Mapped[str | None]

    world = World(engine, Base)
    with world.session() as session, session.begin():
        customer = Customer()
        session.add(customer)
        aw.later(customer.greet)

    world.run()

    assert inspect(engine).has_table("Work to do")
    with world.session() as session:
        assert session.scalar(select(Customer.greeted)) == "hello"
