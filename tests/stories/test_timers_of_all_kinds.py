"""Timers on objects with keys and classes of all kinds, and rounds that come while another one goes on."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

import afterwork as aw
from tests.support.office import Office
from tests.support.world import World, statements

TEN = timedelta(minutes=10)


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Seat(Base):
    """Its key has two columns, of which the order is that of the table, not of the alphabet."""

    __tablename__ = "seat"
    row: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    done: Mapped[int] = mapped_column(default=0)


class Letter(Base):
    __tablename__ = "letter"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    place: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)


class Vehicle(Base):
    __tablename__ = "vehicle"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    done: Mapped[int] = mapped_column(default=0)
    wheels: Mapped[list["Wheel"]] = relationship(order_by="Wheel.id")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}


class Truck(Vehicle):
    __tablename__ = "truck"
    id: Mapped[int] = mapped_column(ForeignKey("vehicle.id"), primary_key=True)
    load: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "truck"}


class Wheel(Base):
    __tablename__ = "wheel"
    id: Mapped[int] = mapped_column(primary_key=True)
    vehicle_id: Mapped[int] = mapped_column(ForeignKey("vehicle.id"))


LOG: list[Any] = []


class Clean(aw.ViewModel, root=Seat):
    when = aw.Every(TEN, max_answers=2, criteria=select(Seat).where(Seat.done == 0).order_by(Seat.row, Seat.number))

    @aw.action
    def clean(self) -> None:
        LOG.append((self.root.row, self.root.number))
        self.root.done += 1


class Send(aw.ViewModel, root=Letter):
    when = aw.Every(TEN, criteria=select(Letter).where(Letter.done == 0).order_by(Letter.place))

    @aw.action
    def send(self) -> None:
        LOG.append(self.root.place)
        self.root.done += 1


class Check(aw.ViewModel, root=Vehicle):
    """Finds trucks, too, each as what it is."""

    when = aw.Every(
        TEN,
        criteria=select(Vehicle)
        .where(Vehicle.done == 0)
        .order_by(Vehicle.id)
        .options(selectinload(Vehicle.wheels))
        .limit(3),
    )

    @aw.action
    def check(self) -> None:
        LOG.append((type(self.root).__name__, len(self.root.wheels)))
        self.root.done += 1


class Unload(aw.ViewModel, root=Truck):
    """Its criteria filters and orders by columns of both tables."""

    when = aw.Every(TEN, max_answers=2, criteria=select(Truck).where(Truck.load > 0).order_by(Vehicle.done, Truck.load))

    @aw.action
    def unload(self) -> None:
        LOG.append(self.root.load)
        self.root.load = 0


@pytest.fixture
def world(engine: Engine) -> World:
    LOG.clear()
    return World(engine, Base)


def save(world: World, *objects: Any) -> None:
    with world.session() as session, session.begin():
        session.add_all(objects)


def test_objects_whose_key_has_two_columns_are_matched_in_order(world: World) -> None:
    save(world, *(Seat(row=row, number=number) for row in "BA" for number in (2, 1, 10)))

    for _ in range(3):
        world.run()
        world.clock.advance(TEN)

    assert [(row, number) for row in "AB" for number in (1, 2, 10)] == LOG


def test_objects_whose_key_is_a_uuid_are_matched_in_order_and_once(world: World) -> None:
    save(world, *(Letter(id=uuid.uuid4(), place=place) for place in (3, 1, 2)))

    assert [str(one.outcome) for one in world.run()] == ["Succeeded()"] * 3
    world.clock.advance(TEN)
    assert (world.run(), LOG) == ([], [1, 2, 3])


def test_objects_of_derived_classes_are_matched_and_loader_options_do_no_harm(world: World) -> None:
    save(world, Truck(id=1, load=0, wheels=[Wheel(), Wheel()]), Vehicle(id=2, wheels=[Wheel()]), Truck(id=3, load=0))
    save(world, Vehicle(id=4))

    world.run()

    assert LOG == [("Truck", 2), ("Vehicle", 1), ("Truck", 0)]


def test_a_criteria_for_a_derived_class_may_speak_of_both_tables(world: World) -> None:
    save(
        world,
        *(Truck(id=number, load=load, done=1) for number, load in ((1, 5), (2, 3), (3, 4))),
        Vehicle(id=4, done=1),
    )

    world.run()
    world.clock.advance(TEN)
    world.run()

    assert LOG == [3, 4, 5]


def test_the_round_asks_for_keys_only_whatever_the_criteria_loads(world: World) -> None:
    save(world, Vehicle(id=1, wheels=[Wheel()]))
    with statements(world.engine) as sent:
        world.run()

    criteria = next(one for one in sent if "FROM vehicle" in one and "WHERE vehicle.done" in one)
    assert criteria.split()[:3] == ["SELECT", "vehicle.id", "FROM"]
    assert len([one for one in sent if "FROM wheel" in one]) == 1  # by the action itself


# A round while another one goes on.


def with_timer(office: Office, criteria: Callable[..., Any], **parts: Any) -> None:
    office.timer("Work", when=aw.Every(TEN, criteria=criteria, max_answers=parts.pop("most", None)), **parts)
    office.open(tasks=6)


def undone(office: Office, descending: bool = False) -> Any:
    key = office.task.id
    return select(office.task).where(office.task.done == 0).order_by(key.desc() if descending else key)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_matches_of_rounds_at_one_moment_come_one_round_after_the_other(office: Office, most: int) -> None:
    with_timer(office, lambda: undone(office), most=most)
    office.open()
    for _ in range(6 // most):
        assert office.app.run_now(office.engine, "Work") == most

    assert office.matched() == [1, 2, 3, 4, 5, 6]


def test_a_round_that_is_larger_than_the_one_before_it_comes_behind_it_all_the_same(office: Office) -> None:
    sizes = [1, 5]
    with_timer(office, lambda: undone(office, descending=len(sizes) == 1).limit(sizes.pop(0)))

    assert [office.app.run_now(office.engine, "Work") for _ in range(2)] == [1, 5]
    assert [root for work, root, _ in office.run() if work == "Work"] == [f"Task!{n}" for n in (1, 6, 5, 4, 3, 2)]


def test_a_round_by_hand_while_one_goes_on_is_added_to_it(office: Office) -> None:
    with_timer(office, lambda: undone(office), most=2)
    office.app.run_now(office.engine, "Work")
    began = office.clock.now()
    office.clock.advance(timedelta(seconds=30))

    assert office.app.run_now(office.engine, "Work") == 2

    (timer,) = office.app.insight(office.engine).timers()
    assert (timer.fired, timer.matches, timer.left.number) == (began, 4, 4)
    office.sql("UPDATE afterwork_timer SET paused = true")
    office.run()
    (timer,) = office.app.insight(office.engine).timers()
    assert (timer.matches, timer.left.number, timer.failed, timer.took) == (4, 0, 0, 30)


def test_each_run_has_the_variables_of_its_own_round(office: Office) -> None:
    def note(self: Any) -> None:
        office.log.append((self.root.id, self.due - start, self.since - start))
        self.root.done += 1

    def look_back(given: Any) -> None:
        given.since = given.due - TEN

    start = office.clock.now()
    when = aw.Every(TEN, criteria=lambda: undone(office), max_answers=1, before=look_back)
    office.timer("Work", when=when, work=aw.action(note), due=aw.variable(), since=aw.variable())
    office.open(tasks=2)

    office.app.run_now(office.engine, "Work")
    office.clock.advance(timedelta(seconds=30))
    office.app.run_now(office.engine, "Work")
    office.run()

    assert office.log == [(1, timedelta(0), -TEN), (2, timedelta(seconds=30), timedelta(seconds=30) - TEN)]


def test_a_run_that_is_tried_again_has_the_variables_of_its_own_round_still(office: Office) -> None:
    def note(self: Any) -> None:
        office.log.append((self.root.id, self.due - start))
        if self.root.bad:
            raise ValueError
        self.root.done += 1

    start = office.clock.now()
    retry = aw.Retry(attempts=2, backoff=timedelta(minutes=12))
    when = aw.Every(TEN, criteria=lambda: undone(office))
    office.timer("Work", when=when, work=aw.action(note), due=aw.variable(), retry=retry, external=True)
    office.open(tasks=1, bad=lambda number: True)

    office.run()
    with Session(office.engine) as session, session.begin():
        session.add(office.task(id=2))
    office.run(TEN)
    office.run(timedelta(minutes=2))

    assert office.log == [(1, timedelta(0)), (2, TEN), (1, timedelta(0))]
