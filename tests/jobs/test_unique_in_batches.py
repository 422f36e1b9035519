"""A unique request within a run joins no ticket whose run has begun in the same transaction: it would be lost."""

from typing import ClassVar

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.world import World, works


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)

    asks: ClassVar[dict[int, int]] = {}
    """Which thing asks, in its first run, for the work of which one."""

    @aw.method
    def work(self) -> None:
        other = Thing.asks.pop(self.id, None)
        if other is not None:
            aw.later(aw.session(self).get_one(Thing, other).work, unique=True)


@pytest.mark.parametrize(
    ("asking", "asked", "ran"),
    [(2, 2, [1, 2, 3, 2]), (2, 1, [1, 2, 3, 1]), (2, 3, [1, 2, 3])],
    ids=["itself", "one before it", "one behind it"],
)
def test_what_has_run_already_runs_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, asking: int, asked: int, ran: list[int]
) -> None:
    monkeypatch.setattr(Thing, "asks", {asking: asked})
    world = World(engine, Base)
    with world.session() as session, session.begin():
        things = [Thing() for _ in range(3)]
        session.add_all(things)
        for thing in things:
            aw.later(thing.work)

    assert works(world.run()) == [("Thing.work", f"Thing!{number}") for number in ran]
