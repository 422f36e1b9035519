"""A ticket class with neither Lane nor Priority, as one had to have in 2020, serves all works, each in its own lane."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import BadRequest
from afterwork.jobs.run import Succeeded
from tests.support.world import World, statements


class Base(DeclarativeBase): ...


class SysAsyncTicket(Base):
    __tablename__ = "ticket"
    __table_args__ = {"sqlite_autoincrement": True}
    id: Mapped[int] = mapped_column(primary_key=True)
    view_model: Mapped[str | None] = mapped_column(String(80))
    root_id: Mapped[str | None]
    execute_earliest: Mapped[datetime | None]
    keep_receipt_minutes: Mapped[int] = mapped_column(default=10)
    done: Mapped[datetime | None]
    delete_time: Mapped[datetime | None]
    error: Mapped[str | None]


class Crate(Base):
    __tablename__ = "crate"
    id: Mapped[int] = mapped_column(primary_key=True)
    moves: Mapped[int] = mapped_column(default=0)

    @aw.method
    def count(self) -> None:
        self.moves += 1

    @aw.method(lane=None)
    def move(self) -> None:
        self.moves += 1

    @aw.method(lane=None, external=True)
    def ship(self) -> None:
        self.moves += 1

    @aw.method(lane="the 'fork'lift")
    def lift(self) -> None:
        self.moves += 1


LANES = {"count": "main", "move": "parallel", "ship": "parallel", "lift": "the 'fork'lift"}


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


@pytest.mark.parametrize("later", [True, False])
def test_each_work_runs_in_the_lane_that_it_declares(world: World, later: bool) -> None:
    with world.session() as session, session.begin():
        crate = Crate()
        session.add(crate)
        for work in LANES:
            if later:
                aw.later(getattr(crate, work))
            else:
                ticket: Any = SysAsyncTicket(view_model=f"Crate.{work}")
                ticket.root_object = crate
                session.add(ticket)
    ran = world.run()
    assert {ended.run.work.removeprefix("Crate."): ended.run.lane for ended in ran} == LANES
    assert all(isinstance(ended.outcome, Succeeded) for ended in ran)


def test_a_lane_of_the_ticket_s_own_needs_the_attribute(world: World) -> None:
    with world.session() as session, session.begin():
        crate = Crate()
        session.add(crate)
        with pytest.raises(BadRequest, match="no attribute lane"):
            aw.later(crate.move, lane="other")


def test_lanes_are_found_by_the_index_that_was_made_for_them(engine: Engine, world: World) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has its reasons to read a small table whole.")
    with statements(engine) as sent:
        world.run()
    (look,) = {one for one in sent if "ticket_group" in one and "FROM ticket" in one}
    with engine.connect() as connection:
        steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {look.replace('?', '1')}")]
    searched = [step for step in steps if " first " in step or " same " in step or " other " in step]
    assert all("USING" in step and "INDEX afterwork_ticket_place_" in step for step in searched), steps
