"""The model of the benchmark: customers who need numbers, and a plain row that is as wide as a ticket."""

import asyncio
import time
from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Double, Integer, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw


class Base(aw.Model, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class NumberSeries(Base):
    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    number: Mapped[int | None]
    at: Mapped[float | None] = mapped_column(Double)

    @aw.method(precondition=lambda self: self.number is None)
    def assign_number(self) -> None:
        series = aw.session(self).get_one(NumberSeries, "customer")
        series.last += 1
        self.number = series.last
        self.at = time.time()

    @aw.method
    def touch(self) -> None:
        self.at = time.time()

    @aw.method(external=True, lane=None)
    async def wait(self) -> None:
        await asyncio.sleep(1)
        self.at = time.time()

    @aw.method
    def fail(self) -> None:
        raise ValueError("This one fails.")


class Note(Base):
    """A meaningless row with the columns of a ticket."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    title: Mapped[str | None] = mapped_column(Text)
    about: Mapped[str | None] = mapped_column(Text)
    starts: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    minutes: Mapped[int] = mapped_column(default=10)
    read: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ends: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    answer: Mapped[str | None] = mapped_column(Text)
    importance: Mapped[int | None]
    place: Mapped[str | None] = mapped_column(Text)
    readers: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))
