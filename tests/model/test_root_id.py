"""RootObject to RootId: any object of the model, new or old, in any order, in the same transaction."""

import pickle
import uuid
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, ForeignKeyConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from afterwork.errors import BadRequest
from tests.support.world import World, errors, everything, the_only


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Named(Base):
    """A hierarchy with a table for each class."""

    __tablename__ = "named"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    seen: Mapped[str] = mapped_column(default="")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "named"}

    @aw.method
    def see(self) -> None:
        self.seen += "by Named"


class Person(Named):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(ForeignKey("named.id"), primary_key=True)
    mail: Mapped[str] = mapped_column(default="")
    __mapper_args__ = {"polymorphic_identity": "person"}


class Employee(Person):
    """One that shares the table of its base, and has a method of its own."""

    __mapper_args__ = {"polymorphic_identity": "employee"}

    @aw.method
    def see(self) -> None:
        self.seen += "by Employee"


class Zebra(Base):
    """A class that is saved after the ticket, as SQLAlchemy sorts tables that don't depend on each other."""

    __tablename__ = "zebra"
    id: Mapped[int] = mapped_column(primary_key=True)
    seen: Mapped[str] = mapped_column(default="")
    foals: Mapped[list["ZebraFoal"]] = relationship(back_populates="mother")

    @aw.method
    def see(self) -> None:
        self.seen += "seen"


class ZebraFoal(Base):
    __tablename__ = "zebra_foal"
    id: Mapped[int] = mapped_column(primary_key=True)
    mother_id: Mapped[int] = mapped_column(ForeignKey("zebra.id"))
    mother: Mapped[Zebra] = relationship(back_populates="foals")
    seen: Mapped[str] = mapped_column(default="")

    @aw.method
    def see(self) -> None:
        self.seen += "seen"


class Seat(Base):
    """A key of three parts, of three types."""

    __tablename__ = "a_seat"
    hall: Mapped[str] = mapped_column(primary_key=True)
    show: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    seen: Mapped[str] = mapped_column(default="")

    @aw.method
    def see(self) -> None:
        self.seen += "seen"


class SeatNote(Base):
    """Its key is that of another row, which is known when that is flushed."""

    __tablename__ = "seat_note"
    hall: Mapped[str] = mapped_column(primary_key=True)
    show: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    seat: Mapped[Seat] = relationship()
    seen: Mapped[str] = mapped_column(default="")
    __table_args__ = (
        ForeignKeyConstraint(["hall", "show", "number"], ["a_seat.hall", "a_seat.show", "a_seat.number"]),
    )

    @aw.method
    def see(self) -> None:
        self.seen += "seen"


class Tag(Base):
    __tablename__ = "tag"
    name: Mapped[str] = mapped_column(primary_key=True)
    seen: Mapped[str] = mapped_column(default="")

    @aw.method
    def see(self) -> None:
        self.seen += "seen"


SHOW = uuid.UUID("00000000-0000-0000-0000-00000000002a")


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


def ticket_for(root: Any) -> SysAsyncTicket:
    return SysAsyncTicket(view_model=f"{type(root).__name__}.see", root_object=root)


ROOTS: dict[str, tuple[Callable[[], Any], str]] = {
    "joined": (Person, "Person!1"),
    "single": (Employee, "Employee!2"),
    "base": (Named, "Named!3"),
    "later": (Zebra, "Zebra!1"),
    "dependent": (lambda: ZebraFoal(mother=Zebra()), "ZebraFoal!1"),
    "composite": (lambda: Seat(hall="A!1", show=SHOW, number=7), f"Seat!A%211!{SHOW}!7"),
    "borrowed": (lambda: SeatNote(seat=Seat(hall="A", show=SHOW, number=7)), f"SeatNote!A!{SHOW}!7"),
    "text": (lambda: Tag(name="50 % off!"), "Tag!50 %25 off%21"),
    "empty": (lambda: Tag(name=""), "Tag!%00"),
    "unicode": (lambda: Tag(name="räksmörgås 🦐\n"), "Tag!räksmörgås 🦐\n"),
}


@pytest.mark.parametrize("order", ["root first", "ticket first", "ticket alone"])
def test_a_new_root_is_named_in_the_same_transaction(engine: Engine, world: World, order: str) -> None:
    """In either order of adding; a root in no session comes along with its ticket."""
    roots = {kind: make() for kind, (make, _) in ROOTS.items()}
    tickets = [ticket_for(root) for root in roots.values()]
    for root, ticket in zip(roots.values(), tickets, strict=True):
        with world.session() as session, session.begin():
            session.add_all({"root first": [root, ticket], "ticket first": [ticket, root]}.get(order, [ticket]))
            session.flush()
            (stored,) = session.execute(text("SELECT root_id FROM sys_async_ticket ORDER BY id DESC LIMIT 1")).one()

            assert (ticket.root_id, stored) == (aw.external_id(root), aw.external_id(root))

    world.run()

    assert [ticket.root_id for ticket in everything(engine, SysAsyncTicket)] == [name for _, name in ROOTS.values()]
    assert errors(engine, SysAsyncTicket) == [None] * len(ROOTS)
    for kind, root in roots.items():
        (found,) = [obj for obj in everything(engine, type(root)) if aw.external_id(obj) == aw.external_id(root)]
        assert found.seen == {"single": "by Employee", "joined": "by Named", "base": "by Named"}.get(kind, "seen")


def test_many_roots_of_many_classes_run_in_one_batch(engine: Engine, world: World) -> None:
    with world.session() as session, session.begin():
        for make, _ in ROOTS.values():
            session.add(ticket_for(make()) if make is not ROOTS["borrowed"][0] else ticket_for(Zebra()))
        session.add_all(ticket_for(Seat(hall=hall, show=SHOW, number=n)) for hall in "AB" for n in range(3))

    assert len(world.run()) == len(ROOTS) + 6
    assert set(errors(engine, SysAsyncTicket)) == {None}


def test_a_root_that_is_there_already_is_named_at_once(world: World) -> None:
    with world.session() as session, session.begin():
        session.add(Tag(name="old"))
    with world.session() as session:
        ticket = ticket_for(session.get_one(Tag, "old"))

        assert ticket.root_id == "Tag!old"
        assert ticket.root_object is session.get_one(Tag, "old")


def test_another_root_can_be_given_before_the_ticket_is_saved(engine: Engine, world: World) -> None:
    with world.session() as session, session.begin():
        first, second = Zebra(), Zebra()
        ticket = ticket_for(first)
        session.add_all([first, second, ticket])
        ticket.root_object = second

    assert the_only(engine, SysAsyncTicket).root_id == aw.external_id(second)


@pytest.mark.parametrize("is_added", [True, False])
def test_the_root_of_a_pending_ticket_can_be_changed(engine: Engine, world: World, is_added: bool) -> None:
    """The new one comes along, as with a relationship."""
    with world.session() as session, session.begin():
        session.add(ticket_for(Zebra()))
    with world.session() as session, session.begin():
        ticket = session.get_one(SysAsyncTicket, 1)
        ticket.root_object = Zebra()
        if is_added:
            session.add(ticket.root_object)

    world.run()

    assert the_only(engine, SysAsyncTicket).root_id == "Zebra!2"
    assert [zebra.seen for zebra in everything(engine, Zebra)] == ["", "seen"]


@pytest.mark.parametrize("way", [lambda ticket: pickle.loads(pickle.dumps(ticket)), deepcopy])
def test_a_copy_of_a_ticket_brings_its_new_root_along(
    engine: Engine, world: World, way: Callable[[SysAsyncTicket], SysAsyncTicket]
) -> None:
    with world.session() as session, session.begin():
        session.add(way(ticket_for(Zebra())))

    world.run()

    assert errors(engine, SysAsyncTicket) == [None]
    assert the_only(engine, Zebra).seen == "seen"


def test_no_root_stays_no_root(engine: Engine, world: World) -> None:
    with world.session() as session, session.begin():
        session.add(SysAsyncTicket(view_model="Zebra.see", root_object=None))

    world.run()

    assert errors(engine, SysAsyncTicket) == ["Zebra.see needs a root of class Zebra, but the ticket has no RootId."]


def test_a_root_that_is_deleted_before_the_ticket_runs_is_reported(engine: Engine, world: World) -> None:
    with world.session() as session, session.begin():
        session.add(ticket_for(Zebra()))
    with world.session() as session, session.begin():
        session.delete(session.get_one(Zebra, 1))

    world.run()

    assert errors(engine, SysAsyncTicket) == ["The root Zebra!1 is not there (any more)."]


def test_a_method_asked_for_by_the_name_of_the_base_runs_that_of_the_roots_own_class(
    engine: Engine, world: World
) -> None:
    with world.session() as session, session.begin():
        session.add(SysAsyncTicket(view_model="Named.see", root_object=Employee()))
        aw_ticket = Employee()
        session.add(aw_ticket)
        assert aw.later(aw_ticket.see).view_model == "Named.see"

    world.run()

    assert errors(engine, SysAsyncTicket) == [None, None]
    assert [employee.seen for employee in everything(engine, Employee)] == ["by Employee", "by Employee"]


def test_a_root_that_is_another_object_than_the_row_of_its_base_is_refused(engine: Engine, world: World) -> None:
    """A RootId may name the base; it may not name a class that the row isn't of."""
    with world.session() as session, session.begin():
        session.add_all([Named(), SysAsyncTicket(view_model="Named.see", root_id="Employee!1")])
        session.add(SysAsyncTicket(view_model="Employee.see", root_id="Named!1"))

    world.run()

    assert errors(engine, SysAsyncTicket) == [
        "The root Employee!1 is not there (any more).",
        "Employee.see needs a root of class Employee, not Named.",
    ]


def test_tickets_in_two_flushes_of_one_transaction_get_their_roots(engine: Engine, world: World) -> None:
    with world.session() as session, session.begin():
        for _ in range(2):
            session.add_all([ticket_for(Zebra()), ticket_for(ZebraFoal(mother=Zebra()))])
            session.flush()

    assert len(world.run()) == 4
    assert errors(engine, SysAsyncTicket) == [None] * 4


def test_a_savepoint_that_is_rolled_back_takes_only_its_tickets(engine: Engine, world: World) -> None:
    with world.session() as session, session.begin():
        session.add(ticket_for(Zebra()))
        inner = session.begin_nested()
        session.add(ticket_for(Zebra()))
        session.flush()
        inner.rollback()
        session.add(ticket_for(Zebra()))

    world.run()

    assert errors(engine, SysAsyncTicket) == [None, None]
    assert [zebra.seen for zebra in everything(engine, Zebra)] == ["seen", "seen"]


def test_a_failed_flush_leaves_nothing_behind_for_the_next(engine: Engine, world: World) -> None:
    with world.session() as session:
        session.add(Tag(name="twin"))
        session.commit()
        session.expunge_all()
        session.add_all([ticket_for(Zebra()), Tag(name="twin")])
        with pytest.raises(Exception, match=r"(?i)unique"):
            session.commit()
        session.rollback()
        session.expunge_all()
        session.add(ticket_for(Zebra()))
        session.commit()

    world.run()

    assert errors(engine, SysAsyncTicket) == [None]
    assert len(everything(engine, Zebra)) == 1


def test_a_root_that_is_new_in_another_session_is_refused(world: World) -> None:
    """Its key is not known in time."""
    with world.session() as one, world.session() as other:
        zebra = Zebra()
        one.add(zebra)
        other.add(ticket_for(zebra))

        with pytest.raises(BadRequest, match="a new Zebra, was not saved together with it: it is in another session"):
            other.flush()
