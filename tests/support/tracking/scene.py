"""A model with every kind of member, and its reads in words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Executable,
    ForeignKey,
    ForeignKeyConstraint,
    Numeric,
    String,
    Table,
    event,
    func,
    select,
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    Session,
    WriteOnlyMapped,
    attribute_keyed_dict,
    column_property,
    composite,
    mapped_column,
    query_expression,
    relationship,
    synonym,
)

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.member_dependencies import MemberDependencies
from afterwork.derived.tracking.recorder import Recorder
from afterwork.derived.tracking.tracked_attributes import instrument
from afterwork.store.journal.tracked_table import TrackedTables
from afterwork.store.journal.unwatched import UNWATCHED, is_unwatched
from tests.support.watching import watch_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Base(DeclarativeBase):
    pass


order_tag = Table(
    "order_tag",
    Base.metadata,
    Column("order_id", ForeignKey("order_.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Place:
    def __init__(self, street: str | None, town: str | None) -> None:
        self.street = street
        self.town = town

    def __composite_values__(self) -> tuple[str | None, str | None]:
        return self.street, self.town

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and other.__composite_values__() == self.__composite_values__()

    def __hash__(self) -> int:
        return hash(self.__composite_values__())


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), default="")
    changed: Mapped[str] = mapped_column(default="", info=UNWATCHED)
    street: Mapped[str | None]
    town: Mapped[str | None]
    sponsor_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    place: Mapped[Place] = composite(Place, "street", "town")
    title = synonym("name")
    shout = column_property(func.upper(name))
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", order_by="Order.number")
    big_orders: Mapped[list["Order"]] = relationship(
        primaryjoin="and_(Customer.id == Order.customer_id, Order.amount > 10)", viewonly=True
    )
    odd_orders: Mapped[list["Order"]] = relationship(
        primaryjoin="or_(Customer.id == foreign(Order.customer_id), foreign(Order.number) == 7)", viewonly=True
    )
    by_number: Mapped[dict[int, "Order"]] = relationship(collection_class=attribute_keyed_dict("number"), viewonly=True)
    asked: DynamicMapped["Order"] = relationship(viewonly=True)
    written: WriteOnlyMapped["Order"] = relationship(viewonly=True)
    card: Mapped["Card | None"] = relationship(back_populates="customer")
    sponsor: Mapped["Customer | None"] = relationship(remote_side=id, back_populates="sponsored")
    sponsored: Mapped[list["Customer"]] = relationship(back_populates="sponsor")
    logs: Mapped[list["Log"]] = relationship()
    extra: Mapped[int | None] = query_expression()

    @hybrid_property
    def greeting(self) -> str:
        return f"Dear {self.name}"


class Card(Base):
    __tablename__ = "card"
    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship(back_populates="card")


class Order(Base):
    __tablename__ = "order_"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    number: Mapped[int] = mapped_column(default=0)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(1))
    note: Mapped[str] = mapped_column(default="", deferred=True)
    clerk_id: Mapped[int | None] = mapped_column(ForeignKey("clerk.id"))
    customer: Mapped[Customer | None] = relationship(back_populates="orders")
    clerk: Mapped["Clerk | None"] = relationship()
    lines: Mapped[list["Line"]] = relationship(back_populates="order", order_by="Line.position")
    tags: Mapped[list["Tag"]] = relationship(secondary=order_tag, back_populates="orders", order_by="Tag.name")
    tag_names: AssociationProxy[list[str]] = association_proxy("tags", "name")


class Line(Base):
    __tablename__ = "line"
    order_id: Mapped[int] = mapped_column(ForeignKey("order_.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column(default=1)
    order: Mapped[Order] = relationship(back_populates="lines")
    remarks: Mapped[list["Remark"]] = relationship(back_populates="line")


class Remark(Base):
    __tablename__ = "remark"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]
    position: Mapped[int]
    line: Mapped[Line] = relationship(back_populates="remarks")
    __table_args__ = (ForeignKeyConstraint(["order_id", "position"], ["line.order_id", "line.position"]),)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list[Order]] = relationship(secondary=order_tag, back_populates="tags")


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("clerk.id"))
    boss: Mapped["Clerk | None"] = relationship(foreign_keys=boss_id, back_populates="staff", remote_side="Clerk.id")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}


class Clerk(Person):
    __tablename__ = "clerk"
    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    desk: Mapped[str] = mapped_column(default="")
    staff: Mapped[list[Person]] = relationship(foreign_keys=Person.boss_id, back_populates="boss")
    __mapper_args__ = {"polymorphic_identity": "clerk", "inherit_condition": id == Person.id}


class Guest(Person):
    """Single-table inheritance."""

    __mapper_args__ = {"polymorphic_identity": "guest"}


class Log(Base):
    """A table that is not tracked."""

    __tablename__ = "log"
    __table_args__ = {"info": UNWATCHED}
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    text: Mapped[str] = mapped_column(default="")


Customer.order_count = column_property(
    select(func.count(Order.id)).where(Order.customer_id == Customer.id).correlate_except(Order).scalar_subquery(),
    deferred=True,
)


@dataclass
class Scene:
    """A database with the model, and the statements that were executed in it."""

    engine: Engine
    statements: list[str] = field(default_factory=list)
    asked: list[Executable] = field(default_factory=list)

    def __post_init__(self) -> None:
        Base.registry.configure()
        instrument(Base.registry.mappers)
        dialect = self.engine.dialect
        tables = [table for table in Base.metadata.tables.values() if not is_unwatched(table)]
        self.tracked_tables = TrackedTables(watch_of(number, table, dialect) for number, table in enumerate(tables, 1))
        self.plans = MemberDependencies(self.tracked_tables, dialect)
        event.listen(self.engine, "before_cursor_execute", self._executed)

    def _executed(self, connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        self.statements.append(statement)

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self.engine.connect() as connection, Session(connection) as session:
            yield session

    def recorder(self, session: Session) -> Recorder:
        return Recorder(self.plans, session, NOW, self.record_statement)

    def record_statement(
        self, statement: Executable, parameters: Any, connection: Connection, reads: Reads, *, entities: bool
    ) -> None:
        self.asked.append(statement)

    def reads(self, session: Session, job: Callable[[], object]) -> set[str]:
        """Return the reads of a job: "table key: columns" for a row, "table ? column=value: columns" for a query."""
        recorder = self.recorder(session)
        with recorder.recording():
            job()
        return self.in_words(recorder)

    def in_words(self, recorder: Recorder) -> set[str]:
        reads = recorder.reads()
        words = set()
        for (table_id, key), mask in reads.rows.items():
            words.add(
                f"{self._name(table_id)} {str(key).replace(chr(31), '/')}: {self._columns(table_id, mask)}".strip()
            )
        for where, key in reads.queries:
            pairs = zip(where.equal, key.split("\x1f"), strict=bool(where.equal))
            equal = ",".join(f"{name}={value}" for name, value in pairs) or "all"
            words.add(f"{self._name(where.table_id)} ? {equal}: {self._columns(where.table_id, where.columns)}".strip())
        return words

    def _name(self, table_id: int) -> str:
        return str(self.tracked_tables.by_id[table_id].table.name)

    def _columns(self, table_id: int, mask: int) -> str:
        return " ".join(self.tracked_tables.by_id[table_id].names(mask))


def fill(session: Session) -> None:
    """Two customers; the first has two orders with two lines each, tags, a card, and sponsors the second."""
    red, blue = Tag(id=1, name="red"), Tag(id=2, name="blue")
    chief = Clerk(id=1, name="Chief", desk="A")
    session.add_all([chief, red, blue])
    session.flush()
    session.add_all([Clerk(id=2, name="Cleo", boss_id=1), Guest(id=3, name="Gus", boss_id=1)])
    session.add(Customer(id=1, name="Ann", street="Elm", town="Oslo", card=Card(number="X1")))
    session.flush()
    session.add(Customer(id=2, name="Bob", sponsor_id=1))
    session.flush()
    for number in (1, 2):
        lines = [Line(position=position, amount=10 * number + position) for position in (1, 2)]
        session.add(
            Order(id=number, customer_id=1, number=9 - number, amount=Decimal(10 * number), lines=lines, clerk_id=2)
        )
    session.flush()
    session.get_one(Order, 1).tags += [red, blue]
    session.add_all([Remark(id=1, order_id=1, position=2), Log(id=1, customer_id=1)])
    session.commit()
