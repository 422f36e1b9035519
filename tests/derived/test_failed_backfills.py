"""A backfill that the database refuses is left alone for a while, and holds up no other."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.derived.compute import backfill
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.events import Broken, Event
from tests.support.prepared import open_with


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Bad(Base):
    __tablename__ = "bad"
    id: Mapped[int] = mapped_column(primary_key=True)
    said: Mapped[str | None] = mapped_column()

    @aw.derived(said)
    def compute_said(self) -> str:
        return "bad"


class Good(Base):
    __tablename__ = "good"
    id: Mapped[int] = mapped_column(primary_key=True)
    said: Mapped[str | None] = mapped_column()

    @aw.derived(said)
    def compute_said(self) -> str:
        return "good"


def test_others_are_filled_and_it_is_tried_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Event] = []
    clock = aw.ManualClock()
    app = aw.Afterwork(Base, clock=clock, on_event=seen.append)
    open_with(engine, Base, Base.metadata.create_all)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO bad (id) VALUES (1)"))
        connection.execute(text("INSERT INTO good (id) VALUES (1)"))
    app.install(engine)
    step = backfill.Backfill.step

    def refused(
        self: backfill.Backfill, connection: Connection, derivation: RegisteredDerivation, *given: Any
    ) -> backfill.BackfillResult:
        if derivation.name == "Bad.said":
            with connection.begin():
                connection.execute(text("SELECT nothing FROM nowhere"))
        return step(self, connection, derivation, *given)

    with monkeypatch.context() as patch:
        patch.setattr(backfill.Backfill, "step", refused)
        assert [ended.run.work for ended in app.run_until_idle(engine)] == ["Good.said"]
    assert [event.where for event in seen if isinstance(event, Broken)] == ["the backfill of Bad.said"]

    clock.advance(timedelta(minutes=2))
    assert [ended.run.work for ended in app.run_until_idle(engine)] == ["Bad.said"]
