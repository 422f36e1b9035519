"""Parcels whose methods are an `async def`, and do what a test puts into `code`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import ClassVar

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from tests.support.world import World, errors

Code = Callable[["Parcel"], Awaitable[object]]


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


async def nothing(parcel: "Parcel") -> None:
    pass


class Parcel(Base):
    """Does what a test puts into `code`."""

    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    log: Mapped[str] = mapped_column(default="")
    labels: Mapped[list["Label"]] = relationship()

    code: ClassVar[Code] = staticmethod(nothing)

    @aw.method(external=True)
    async def ship(self) -> None:
        self.log += "begun"
        await Parcel.code(self)
        self.log += ", shipped"

    @aw.method(external=True, lane=None, retry=aw.Retry(attempts=2, backoff=timedelta(minutes=1)))
    async def call(self) -> None:
        self.log += "never saved"
        await Parcel.code(self)

    @aw.method(external=True, timeout=timedelta(milliseconds=50))
    async def hurry(self) -> None:
        self.log += "never saved"
        await Parcel.code(self)

    @aw.method(external=True)
    async def pay(self, amount: int, note: str = "none") -> None:
        await asyncio.sleep(0)
        self.log = f"{amount} {note}"

    @aw.method(external=True, precondition=lambda self: self.log == "")
    async def once(self) -> None:
        self.log = "once"

    @aw.method
    def mark(self) -> None:
        self.log += ", marked"


class Label(Base):
    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcel.id"))


class Send(aw.ViewModel[Parcel]):
    external = True

    @aw.action
    async def pack(self) -> None:
        await asyncio.sleep(0)
        self.root.log += "packed"

    @aw.action(enabled=lambda self: self.root.log == "packed")
    def weigh(self) -> None:
        self.root.log += ", weighed"

    @aw.action
    async def hand_over(self) -> None:
        await Parcel.code(self.root)
        self.root.log += ", handed over"

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        self.root.log = f"failed: {type(error).__name__}"


def ask(world: World, *names: str, code: Code = nothing) -> list[str | None]:
    """Run these works, each on a parcel of its own. Returns the errors of the tickets."""
    Parcel.code = staticmethod(code)
    with world.session() as session, session.begin():
        for name in names:
            parcel = Parcel(labels=[Label(), Label()])
            session.add(parcel)
            aw.later(getattr(parcel, name))
    world.run()
    return errors(world.engine, SysAsyncTicket)
