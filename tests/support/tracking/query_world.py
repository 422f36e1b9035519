"""Customers with orders with lines, random changes of them, and which reads a change affects."""

from dataclasses import dataclass
from random import Random
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Engine,
    ForeignKey,
    Table,
    and_,
    delete,
    insert,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from afterwork.derived.manifest.reads import Reads
from afterwork.store.journal.tracked_table import EVERY_COLUMN, TrackedTables, joined
from afterwork.store.journal.values import key_of, text_of
from tests.support.watching import watch_of


class Base(DeclarativeBase): ...


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    level: Mapped[int | None]
    sponsor_id: Mapped[int | None]
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")
    first_line: Mapped[int] = mapped_column(default=0)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    status: Mapped[str | None]
    amount: Mapped[int] = mapped_column(default=0)
    is_paid: Mapped[bool] = mapped_column(default=False)
    customer: Mapped[Customer | None] = relationship(back_populates="orders")
    lines: Mapped[list["Line"]] = relationship(back_populates="order")
    tags: Mapped[list["Tag"]] = relationship(secondary="order_tag")


class Line(Base):
    __tablename__ = "line"
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str | None]
    quantity: Mapped[int] = mapped_column(default=0)
    order: Mapped[Order] = relationship(back_populates="lines")


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


order_tag = Table(
    "order_tag",
    Base.metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)

TABLES = [Base.metadata.tables[name] for name in ("customer", "orders", "line", "tag", "order_tag")]
NAMES = ["a", "b", "c", None]
KEYS = range(1, 5)

Row = dict[str, Any]


def tracked_tables_for(dialect: Dialect) -> TrackedTables:
    """Return all tables as tracked ones."""
    return TrackedTables(watch_of(number, table, dialect) for number, table in enumerate(TABLES, 1))


@dataclass(frozen=True)
class Changed:
    """A row before and after, None where there is none."""

    table: Table
    old: Row | None
    new: Row | None


class World:
    """Some rows, in the database and in memory. Foreign keys are not enforced: links may lead nowhere."""

    def __init__(self, connection: Connection, random: Random) -> None:
        self.connection = connection
        self.random = random
        self.rows: dict[Table, list[Row]] = {}
        for table in TABLES:
            connection.execute(delete(table))
            keyed = {self._key(table, row): row for row in (self.new_row(table) for _ in range(random.randint(1, 6)))}
            self.rows[table] = list(keyed.values())
            connection.execute(insert(table), self.rows[table])

    def new_row(self, table: Table) -> Row:
        return {column.name: self._value(column) for column in table.columns}

    def _value(self, column: Column[Any]) -> Any:
        if column.name == "is_paid":
            return self.random.random() < 0.5
        if column.name in {"name", "status", "kind"}:
            return self.random.choice(NAMES)
        if column.nullable and self.random.random() < 0.2:
            return None
        return self.random.choice(KEYS)

    def _key(self, table: Table, row: Row) -> tuple[Any, ...]:
        return tuple(row[column.name] for column in table.primary_key.columns)

    def change(self) -> Changed:
        """Change something."""
        table = self.random.choice(TABLES)
        keys = {self._key(table, row) for row in self.rows[table]}
        kind = self.random.choice("IUUUD")
        free = [row for row in (self.new_row(table) for _ in range(10)) if self._key(table, row) not in keys]
        if kind == "I" and free:
            self.connection.execute(insert(table), [free[0]])
            return Changed(table, None, free[0])
        old = self.random.choice(self.rows[table])
        where = and_(*(column == old[column.name] for column in table.primary_key.columns))
        others = [column for column in table.columns if not column.primary_key]
        if kind == "D" or not others:
            self.connection.execute(delete(table).where(where))
            return Changed(table, old, None)
        column = self.random.choice(others)
        new = {**old, column.name: self._value(column)}
        self.connection.execute(update(table).where(where).values({column.name: new[column.name]}))
        return Changed(table, old, new)


def is_affected(reads: Reads, changed: Changed, tracked_tables: TrackedTables, dialect: Dialect) -> bool:
    """Return whether a change touches one of these reads, by the rules for that."""
    tracked = tracked_tables.of(changed.table)
    assert tracked is not None
    images = [row for row in (changed.old, changed.new) if row is not None]
    changes = EVERY_COLUMN
    if len(images) == 2:
        changes = tracked.mask(name for name in images[0] if images[0][name] != images[1][name])
    key = key_of(tracked, [images[0][column.name] for column in tracked.key], dialect)
    mask = reads.rows.get((tracked.id, key)) if key is not None else None
    if mask is not None and (changes == EVERY_COLUMN or mask & changes):
        return True
    for where, values in reads.queries:
        mask = where.columns | tracked.mask(where.equal)
        if where.table_id == tracked.id and (changes == EVERY_COLUMN or mask & changes):
            for image in images:
                texts = [text_of(tracked, name, image[name], dialect) for name in where.equal]
                if (joined(texts) if where.equal else "") == values:
                    return True
    return False


def create(engine: Engine) -> None:
    """Create the tables, without foreign keys."""
    for table in TABLES:
        for constraint in list(table.foreign_key_constraints):
            table.constraints.discard(constraint)
    Base.metadata.create_all(engine)
