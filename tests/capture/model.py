"""Tables with a bit of everything."""

from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

UNWATCHED = {"afterwork": "unwatched"}


class Base(DeclarativeBase):
    pass


tagged = Table(
    "tagged",
    Base.metadata,
    Column("order_id", ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True),
)

linked = Table(
    "linked",
    Base.metadata,
    Column("order_id", ForeignKey("orders.id", ondelete="CASCADE")),
    Column("tag_id", ForeignKey("tag.id", ondelete="CASCADE")),
)
"""A link table without a primary key."""


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None] = mapped_column(unique=True)
    touched: Mapped[int | None] = mapped_column(info=UNWATCHED)


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id", ondelete="SET NULL"))
    notes: Mapped[Any] = mapped_column(JSON, nullable=True)
    lines: Mapped[list["Line"]] = relationship()
    tags: Mapped[list["Tag"]] = relationship(secondary=tagged)


class Line(Base):
    __tablename__ = "line"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE", onupdate="CASCADE"))
    quantity: Mapped[int]
    price: Mapped[Decimal]


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Log(Base):
    __tablename__ = "log"
    __table_args__ = {"info": UNWATCHED}

    id: Mapped[int] = mapped_column(primary_key=True)


TABLES = Base.metadata.sorted_tables
