"""Moves of all kinds: of objects that nobody holds, in runs that write at their end, by tickets that leave a state."""

from datetime import timedelta

from sqlalchemy import Engine, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw
from tests.support.world import World, everything, the_only


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


@aw.track_history
class LampFlow(StateChart["Lamp"]):
    off = State(initial=True)
    on = State()
    switch = off.to(on) | on.to(off)

    def on_enter_on(self, model: "Lamp") -> None:
        aw.while_in(model.flow.switch, after=timedelta(hours=1))
        aw.while_in(model.flow.switch, after=timedelta(hours=5))


class Room(Base):
    __tablename__ = "room"
    id: Mapped[int] = mapped_column(primary_key=True)
    lamps: Mapped[list["Lamp"]] = relationship()


class Lamp(Base):
    __tablename__ = "lamp"
    id: Mapped[int] = mapped_column(primary_key=True)
    room_id: Mapped[int | None] = mapped_column(ForeignKey("room.id"))
    state: Mapped[str | None] = mapped_column()
    flow = aw.machine(LampFlow, state=state)

    @aw.method(external=True)
    def switch_from_afar(self) -> None:
        self.flow.switch()


def _lamp(world: World) -> None:
    with world.session() as session, session.begin():
        session.add(Lamp(id=1))


def _pending(world: World) -> list[str | None]:
    return [ticket.view_model for ticket in everything(world.engine, SysAsyncTicket) if ticket.done is None]


def test_objects_that_nobody_holds_any_more_once_another_is_expired_commit(engine: Engine) -> None:
    world = World(engine, Base)

    with Session(engine) as session, session.begin():
        rooms = [Room(lamps=[Lamp()]) for _ in range(20)]  # each alone holds its lamp, until it is expired
        session.add_all(rooms)

    assert {lamp.state for lamp in world.all(Lamp)} == {"off"}


def test_an_external_run_moves_and_withdraws_what_was_asked_for_in_the_state_that_it_leaves(engine: Engine) -> None:
    world = World(engine, Base)
    _lamp(world)
    with world.session() as session, session.begin():
        lamp = session.get_one(Lamp, 1)
        lamp.flow.switch()
        aw.later(lamp.switch_from_afar)

    world.run()

    assert the_only(engine, Lamp).state == "off"
    assert _pending(world) == []


def test_the_ticket_that_has_a_state_left_stays_as_its_receipt_and_the_others_go(engine: Engine) -> None:
    world = World(engine, Base)
    _lamp(world)
    with world.session() as session, session.begin():
        session.get_one(Lamp, 1).flow.switch()

    world.clock.advance(timedelta(hours=2))
    world.run()

    assert the_only(engine, Lamp).state == "off"
    receipt = the_only(engine, SysAsyncTicket)
    assert (receipt.view_model, receipt.error) == ("Lamp.flow.switch while flow is in on", None)
    assert receipt.done is not None
