"""The matches of a timer are done by one call where its method has a function for many."""

from datetime import timedelta
from typing import ClassVar

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import Ran
from afterwork.jobs import in_transaction
from tests.support.world import World


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    reminded: Mapped[int] = mapped_column(default=0)

    calls: ClassVar[list[list[int]]] = []

    @aw.method(when=aw.Every(minutes=10, criteria=lambda: select(Order).where(Order.reminded == 0)))
    def remind(self) -> None:
        remind_all([self])

    @remind.many
    @staticmethod
    def remind_many(orders: list["Order"]) -> None:
        remind_all(orders)


def remind_all(orders: list[Order]) -> None:
    Order.calls.append([order.id for order in orders])
    for order in orders:
        order.reminded += 1


def test_matches_are_taken_together_and_each_is_a_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_transaction, "BATCH_SECONDS", 3600.0)
    monkeypatch.setattr(Order, "calls", [])
    world = World(engine, Base)
    world.run()
    with world.session() as session, session.begin():
        session.add_all(Order() for _ in range(3))
    world.clock.advance(timedelta(minutes=10))

    world.run()

    assert [sorted(call) for call in Order.calls] == [[1, 2, 3]]
    assert len({event.run for event in world.seen if isinstance(event, Ran)}) == 3
    assert [order.reminded for order in world.all(Order)] == [1, 1, 1]
