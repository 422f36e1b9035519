"""Things with tickets that run in batches, and jobs that disturb, fail, or write past the session."""

from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, ForeignKey, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import Reached
from afterwork.jobs import in_transaction
from tests.support.world import World


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)
    only: Mapped[str | None] = mapped_column(unique=True)
    parent: Mapped[int | None] = mapped_column(ForeignKey("parent.id", deferrable=True, initially="DEFERRED"))

    act: ClassVar[Any] = None
    calls: ClassVar[list[int]] = []

    @aw.method
    def disturb(self) -> None:
        Thing.act(aw.session(self), Thing.behind(aw.current_run().ticket))

    @staticmethod
    def behind(key: Any) -> Any:
        return SysAsyncTicket.id > key

    @aw.method
    def work(self) -> None:
        Thing.calls.append(self.id)
        self.n += 1

    @aw.method
    def fail(self) -> None:
        Thing.calls.append(self.id)
        raise ValueError

    @aw.method
    def break_at_flush(self) -> None:
        Thing.calls.append(self.id)
        self.only = "taken"

    @aw.method
    def break_at_commit(self) -> None:
        Thing.calls.append(self.id)
        self.parent = 404

    @aw.method(lane="aside")
    def aside(self) -> None:
        pass

    @aw.method(external=True)
    def outside(self) -> None:
        pass

    @aw.method
    def raise_by_sql(self) -> None:
        aw.session(self).execute(text("UPDATE thing SET n = n + 10"))

    @aw.method
    def raise_past_the_session(self) -> None:
        aw.session(self).connection().execute(text("UPDATE thing SET n = n + 10"))


@pytest.fixture
def world(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    """A batch takes as many as it may, however slow the machine is."""
    monkeypatch.setattr(in_transaction, "BATCH_SECONDS", 3600.0)
    Thing.calls.clear()
    made = World(engine, Base)
    with made.session() as session, session.begin():
        session.add(Thing(only="taken"))
    return made


def ask(world: World, *names: str) -> None:
    """A ticket for each name, each on a thing of its own, in order."""
    with world.session() as session, session.begin():
        things = [Thing() for _ in names]
        session.add_all(things)
        session.flush()
        session.add_all(
            SysAsyncTicket(view_model=f"Thing.{name}", root_object=thing)
            for name, thing in zip(names, things, strict=True)
        )


def batches(world: World) -> int:
    return sum(isinstance(event, Reached) and event.point == "claimed" for event in world.seen)
