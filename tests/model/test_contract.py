"""The contract: a class of the name SysAsyncTicket, however it is written and mapped."""

import enum
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Engine,
    Enum,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    inspect,
    select,
    text,
)
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

import afterwork as aw
from afterwork.errors import BadRequest, ModelError
from afterwork.insight import TicketFilter
from tests.support.world import World, everything, the_only


class Shade(enum.StrEnum):
    LIGHT = "light"


class Wrapped(TypeDecorator[str]):
    """A type of the application's own."""

    impl = Enum("no", "yes")
    cache_ok = True


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
        with pytest.raises(BadRequest, match="SysAsyncTicket has no attribute priority"):
            aw.later(customer.greet, priority=1)
        with pytest.raises(BadRequest, match="SysAsyncTicket has no attribute lane"):
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

    with World.session(_Bare(engine)) as session, session.begin():  # type: ignore[arg-type]
        for _ in range(2):
            customer = made()
            session.add_all([customer, base.classes.SysAsyncTicket(ViewModel="Customer.greet", root_object=customer)])
        aw.later(customer.call, priority=1)
    ended = app.run_until_idle(engine)

    assert [one.run.work for one in ended] == ["Customer.call", "Customer.greet", "Customer.greet"]
    assert [customer.greeted for customer in everything(engine, made)] == ["hello", "hello"]
    assert [ticket.Error for ticket in everything(engine, base.classes.SysAsyncTicket)] == [None] * 3


class _Bare:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine


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


def test_all_that_is_missing_or_mistyped_is_said_at_once() -> None:
    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(Base):
        __tablename__ = "ticket"
        one: Mapped[int] = mapped_column(primary_key=True)
        two: Mapped[int] = mapped_column(primary_key=True)
        view_model: Mapped[int | None]
        ViewModel: Mapped[str | None]
        root_id: Mapped[str]
        execute_earliest: Mapped[str | None]
        keep_receipt_minutes: Mapped[bool]
        done: Mapped[datetime | None]
        error: Mapped[Any] = mapped_column(JSON, nullable=True)
        priority: Mapped[str | None]

    with pytest.raises(ModelError) as caught:
        _ = aw.Afterwork(Base).model

    problems = "\n".join(caught.value.problems)
    assert "primary key of 2 columns" in problems
    assert "has view_model and ViewModel, which are the same name" in problems
    assert "SysAsyncTicket.view_model is Integer(). The contract needs str, null allowed." in problems
    assert "SysAsyncTicket.root_id can't be null. The contract needs str, null allowed." in problems
    assert "SysAsyncTicket.execute_earliest is String(). The contract needs datetime, null allowed." in problems
    assert "SysAsyncTicket.keep_receipt_minutes is Boolean(). The contract needs int." in problems
    assert (
        "SysAsyncTicket has no attribute delete_time: datetime, null allowed. DeleteTime would serve, too." in problems
    )
    assert "SysAsyncTicket.error is JSON(). The contract needs str, null allowed." in problems
    assert "SysAsyncTicket.priority is String(). The contract needs int, null allowed." in problems
    assert len(caught.value.problems) == 9
    assert "9 things are wrong with the model" in str(caught.value)


@pytest.mark.parametrize("kind", [Enum("no", "yes"), Enum(Shade), Uuid(), Uuid(as_uuid=False), Wrapped()], ids=repr)
def test_an_error_column_that_takes_no_sentence_is_refused(kind: Any) -> None:
    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base):
        error: Mapped[Any] = mapped_column(kind, nullable=True)

    with pytest.raises(ModelError, match=r"SysAsyncTicket.error is .*(declare it as Text|needs str)"):
        _ = aw.Afterwork(Base).model


def test_half_of_the_class_is_refused_by_every_way_to_start(engine: Engine) -> None:
    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(Base):
        __tablename__ = "ticket"
        id: Mapped[int] = mapped_column(primary_key=True)
        view_model: Mapped[str | None]
        root_id: Mapped[str | None]

    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base)

    with pytest.raises(ModelError, match="5 things are wrong"):
        app.install(engine)
    with pytest.raises(ModelError, match="no attribute keep_receipt_minutes"):
        app.run_until_idle(engine)
    with pytest.raises(ModelError, match="no attribute error"), app.serving(engine):
        pass


def test_a_model_without_the_class_says_how_to_have_it() -> None:
    class Base(DeclarativeBase):
        pass

    class Customer(Greeter, Base):
        __tablename__ = "customer"
        id: Mapped[int] = mapped_column(primary_key=True)
        greeted: Mapped[str | None]

    with pytest.raises(ModelError, match=r"It has no class SysAsyncTicket\. Add one: class SysAsyncTicket"):
        _ = aw.Afterwork(Base).model
    with World.session(_Bare(None)) as session:  # type: ignore[arg-type]
        customer = Customer()
        session.add(customer)
        with pytest.raises(ModelError, match="The model of Customer has no class SysAsyncTicket"):
            aw.later(customer.greet)


def test_two_classes_of_the_same_name_are_refused() -> None:
    """A RootId says the name only."""

    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Base):
        pass

    _both = [
        type(
            "Customer",
            (Base,),
            {"__tablename__": name, "__module__": name, "id": mapped_column(Integer, primary_key=True)},
        )
        for name in ("sales", "support")
    ]

    with pytest.raises(ModelError, match=r"2 classes are named Customer: sales.Customer and support.Customer"):
        _ = aw.Afterwork(Base).model


def test_two_ticket_classes_are_refused() -> None:
    class Base(DeclarativeBase):
        pass

    _both = [
        type("SysAsyncTicket", (aw.AsyncTicket, Base), {"__tablename__": table, "__module__": table})
        for table in ("one", "two")
    ]

    with pytest.raises(ModelError, match="2 classes are named SysAsyncTicket"):
        _ = aw.Afterwork(Base).model


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(aw_errors().BadDeclaration, match="no declarative base and no registry"):
        _ = aw.Afterwork("shop").model


def aw_errors() -> Any:
    import afterwork.errors

    return afterwork.errors


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
