"""Columns of an application may have any names, also those that a parameter of a statement might have."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import DateTime, Engine, Integer, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.world import World

PLAIN = ("ended", "until", "why", "which", "at", "its_lane", "its_priority", "now", "lane", "key")
PREFIXED = ("key_0", "new_value", "keys", "new_values", "param_1", "priority", "limit", "latest", "than", "by_rate")


def model(names: tuple[str, ...]) -> Any:
    """A model whose columns of tickets, and of derived members, have these names."""
    names_of_columns = iter(names)

    def column(type_: Any, **more: Any) -> Any:
        return mapped_column(next(names_of_columns), type_, **{"nullable": True, **more})

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(Base):
        __tablename__ = "tickets"
        Done: Mapped[datetime | None] = column(DateTime(timezone=True))
        DeleteTime: Mapped[datetime | None] = column(DateTime(timezone=True))
        Error: Mapped[str | None] = column(Text)
        Key: Mapped[int] = column(Integer, primary_key=True, nullable=False)
        ExecuteEarliest: Mapped[datetime | None] = column(DateTime(timezone=True))
        Lane: Mapped[str | None] = column(Text)
        Priority: Mapped[int | None] = column(Integer)
        Attempts: Mapped[int | None] = column(Integer)
        ViewModel: Mapped[str | None] = column(Text)
        RootId: Mapped[str | None] = column(Text)
        KeepReceiptMinutes: Mapped[int] = mapped_column(default=10)

    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(names[0], primary_key=True)
        size: Mapped[int] = mapped_column("size", default=1)
        twice: Mapped[int] = mapped_column(names[1], default=0)
        done: Mapped[int] = mapped_column(names[2], default=0)

        @aw.derived(twice)
        def compute_twice(self) -> int:
            return 2 * self.size

        @aw.method
        def do(self) -> None:
            self.done = 1

        @aw.method(retry=aw.Retry(attempts=2, backoff=timedelta(0)))
        def fail(self) -> None:
            raise ValueError("again")

        @aw.method(external=True)
        def do_outside(self) -> None:
            self.done = 2

    Base.Ticket, Base.Thing = SysAsyncTicket, Thing
    return Base


@pytest.mark.parametrize("names", [PLAIN, PLAIN[::-1], PREFIXED, PREFIXED[::-1]])
def test_columns_named_like_parameters_are_written(engine: Engine, names: tuple[str, ...]) -> None:
    base = model(names)
    world = World(engine, base)
    with world.session() as session, session.begin():
        things = [base.Thing() for _ in range(3)]
        session.add_all(things)
        for thing, work in zip(things, ("do", "fail", "do_outside"), strict=True):
            aw.later(getattr(thing, work))

    world.run()

    assert [(thing.twice, thing.done) for thing in world.all(base.Thing)] == [(2, 1), (2, 0), (2, 2)]
    assert [(t.Error is None, t.Done is not None) for t in world.all(base.Ticket)] == [
        (True, True),
        (False, True),
        (True, True),
    ]
    with world.session() as session, session.begin():
        for thing in session.query(base.Thing):
            thing.size = 5
    world.run()
    assert [thing.twice for thing in world.all(base.Thing)] == [10, 10, 10]
