"""Parcels that are sent by steps elsewhere: a label is bought, and a courier is ordered.

A run ends its process after the step that a file beside the journal names, `after.label`, if it is there.
"""

import asyncio
import os
import signal
from decimal import Decimal
from pathlib import Path

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.numbers import JOURNAL, journal


class Base(aw.Model, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


def buy_label(parcel: int) -> Decimal:
    """Return what a label costs."""
    journal().note("label", parcel=parcel)
    return Decimal("4.90")


async def buy_label_elsewhere(parcel: int) -> Decimal:
    return await asyncio.to_thread(buy_label, parcel)


def order_courier(parcel: int) -> str:
    journal().note("courier", parcel=parcel)
    return f"courier of {parcel}"


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    cost: Mapped[str | None]
    courier: Mapped[str | None]

    @aw.method(external=True)
    def send(self) -> None:
        number = self.id
        cost = aw.step("label", buy_label, number)
        die_after("label")
        courier = aw.step("courier", order_courier, number)
        die_after("courier")
        self.cost, self.courier = f"{type(cost).__name__} {cost}", courier

    @aw.method(external=True, lane=None)
    async def send_async(self) -> None:
        number = self.id
        journal().note("begin", parcel=number)
        cost = await aw.step("label", buy_label_elsewhere, number)
        die_after("label")
        aw.session().add(Delivery(parcel=number))
        self.cost = f"{type(cost).__name__} {cost}"


class Delivery(Base):
    """What a run leaves in the database."""

    __tablename__ = "delivery"
    id: Mapped[int] = mapped_column(primary_key=True)
    parcel: Mapped[int]


def die_after(step: str) -> None:
    file = Path(os.environ[JOURNAL]).with_name(f"after.{step}")
    if file.exists():
        file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
