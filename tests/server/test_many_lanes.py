"""More lanes than workers, each with little to do, share transactions; and that is not to be seen."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, ForeignKey, func, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.events import Broken, Event, Reached
from afterwork.jobs import in_transaction
from afterwork.server import shared_transactions
from afterwork.server.shared_transactions import QUICK_RUNS_NEEDED
from tests.support.prepared import begin_with
from tests.support.waiting import eventually
from tests.support.world import everything

TOMORROW = datetime.now(UTC) + timedelta(days=1)


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)


class Room(Base):
    """Each has a lane."""

    __tablename__ = "room"
    id: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)
    only: Mapped[str | None] = mapped_column(unique=True)
    parent: Mapped[int | None] = mapped_column(ForeignKey("parent.id", deferrable=True, initially="DEFERRED"))


class Guest(Base):
    __tablename__ = "guest"
    id: Mapped[int] = mapped_column(primary_key=True)
    room: Mapped[int]
    number: Mapped[int | None]

    during: ClassVar[Callable[["Guest"], None]]

    @aw.method
    def ring(self) -> None:
        self.number = (self.number or 0) + 1

    @aw.method
    def enter(self) -> None:
        room = aw.session(self).get_one(Room, self.room)
        room.last += 1
        self.number = room.last

    @aw.method
    def disturb(self) -> None:
        self.enter()
        Guest.during(self)


def build(engine: Engine) -> None:
    """A hotel with one room."""
    Base.metadata.create_all(engine)
    aw.Afterwork(Base).install(engine)
    with engine.begin() as connection:
        connection.execute(insert(Room), [{"id": 9999, "last": 0, "only": "taken"}])


class Hotel:
    """A database with rooms, and a lane for each."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seen: list[Event] = []
        begin_with(engine, build)
        self.app = self.another()

    def another(self, **settings: Any) -> aw.Afterwork:
        return aw.Afterwork(Base, on_event=self.seen.append, settings=aw.Settings(**settings))

    def ask(self, rooms: range, work: str = "enter", each: int = 1) -> None:
        with self.engine.begin() as connection:
            existing = set(connection.execute(select(Room.id)).scalars())
            if new := [{"id": room, "last": 0} for room in rooms if room not in existing]:
                connection.execute(insert(Room), new)
            first = connection.execute(select(func.coalesce(func.max(Guest.id), 0))).scalar_one() + 1
            guests = [{"id": first + n, "room": rooms[n % len(rooms)]} for n in range(each * len(rooms))]
            connection.execute(insert(Guest), guests)
            tickets = [
                {"view_model": f"Guest.{work}", "root_id": f"Guest!{guest['id']}", "lane": f"room {guest['room']:04}"}
                for guest in guests
            ]
            connection.execute(insert(SysAsyncTicket), tickets)

    def is_done(self) -> bool:
        pending = SysAsyncTicket.done.is_(None), SysAsyncTicket.error.is_(None)
        with Session(self.engine) as session:
            return not session.scalar(select(func.count()).where(*pending))

    def serve(self, servers: int = 1) -> None:
        """Serve until all is done."""
        with ExitStack() as stack:
            for number in range(servers):
                stack.enter_context((self.another() if number else self.app).serving(self.engine))
            eventually(self.is_done)

    def transactions(self) -> int:
        """How many were about to commit."""
        return sum(isinstance(event, Reached) and event.point == "before commit" for event in self.seen)

    def numbers(self) -> dict[int, list[int | None]]:
        """The numbers of the guests of each room, in the order in which they were asked for."""
        by_room: dict[int, list[int | None]] = {}
        for guest in everything(self.engine, Guest):
            by_room.setdefault(guest.room, []).append(guest.number)
        return by_room

    def errors(self) -> Counter[str]:
        """How many tickets of each work have failed."""
        return Counter(one.view_model for one in everything(self.engine, SysAsyncTicket) if one.error is not None)


@pytest.fixture
def hotel(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hotel]:
    """However slow the machine is, its works are quick."""
    for module, name in (
        (in_transaction, "BATCH_SECONDS"),
        (shared_transactions, "QUICK_SECONDS"),
        (shared_transactions, "SLOW_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 3600.0)
    Guest.during = staticmethod(lambda guest: None)
    made = Hotel(engine)
    yield made
    assert [event for event in made.seen if isinstance(event, Broken)] == []


def test_1200_lanes_with_a_ticket_each_take_a_few_transactions(hotel: Hotel) -> None:
    hotel.ask(range(1, 1201), "ring")

    hotel.serve()

    assert hotel.transactions() <= 80  # of which the first ones prove the work
    assert hotel.numbers() == {room: [1] for room in range(1, 1201)}


def test_each_lane_keeps_its_order_and_runs_one_at_a_time_over_all_servers(hotel: Hotel) -> None:
    hotel.ask(range(1, 101), each=7)

    hotel.serve(servers=2)

    assert hotel.numbers() == {room: [1, 2, 3, 4, 5, 6, 7] for room in range(1, 101)}


def _raises(guest: Guest) -> None:
    raise ValueError


def _breaks_at_flush(guest: Guest) -> None:
    aw.session(guest).get_one(Room, guest.room).only = "taken"


def _breaks_at_commit(guest: Guest) -> None:
    aw.session(guest).get_one(Room, guest.room).parent = 404


def test_lanes_for_which_there_was_no_time_are_next(hotel: Hotel, monkeypatch: pytest.MonkeyPatch) -> None:
    hotel.ask(range(1, 61))
    monkeypatch.setattr(in_transaction, "BATCH_SECONDS", 0.0)

    hotel.serve()

    assert hotel.numbers() == {room: [1] for room in range(1, 61)}


@pytest.mark.parametrize("break_it", [_raises, _breaks_at_flush, _breaks_at_commit])
def test_one_that_fails_harms_no_other_lane(hotel: Hotel, break_it: Callable[[Guest], None]) -> None:
    if hotel.engine.dialect.name == "sqlite" and break_it is _breaks_at_commit:
        pytest.skip("foreign keys are off")
    hotel.ask(range(2, 202), "disturb")
    tries = Counter[int]()

    def during(guest: Guest) -> None:
        tries[guest.room] += 1
        if guest.room == 77:
            break_it(guest)

    Guest.during = staticmethod(during)
    hotel.serve()

    assert hotel.errors() == {"Guest.disturb": 1}
    assert hotel.numbers() == {room: [None if room == 77 else 1] for room in range(2, 202)}
    assert hotel.transactions() <= 60
    assert tries[77] > 1  # it was among others


def test_one_that_ends_its_connection_is_found_alone_and_given_up(hotel: Hotel) -> None:
    if hotel.engine.dialect.name == "sqlite":
        pytest.skip("nobody can end a connection to a file")
    hotel.ask(range(2, 62), "disturb")

    def cut(guest: Guest) -> None:
        if guest.room == 33:
            aw.session(guest).execute(select(func.pg_terminate_backend(func.pg_backend_pid())))

    Guest.during = staticmethod(cut)
    hotel.serve()

    assert hotel.errors() == {"Guest.disturb": 1}
    assert [room for room, numbers in hotel.numbers().items() if numbers == [None]] == [33]


def test_a_locked_one_is_put_aside_and_delays_no_other_lane(hotel: Hotel) -> None:
    if hotel.engine.dialect.name == "sqlite":
        pytest.skip("whoever writes has the whole file")
    hotel.ask(range(2, 202))

    with hotel.engine.begin() as user, hotel.app.serving(hotel.engine):
        user.execute(select(Room).where(Room.id == 77).with_for_update())
        eventually(lambda: sum(None not in numbers for numbers in hotel.numbers().values()) == 199)
        assert hotel.numbers()[77] == [None]
        user.rollback()
        eventually(hotel.is_done)

    assert hotel.numbers()[77] == [1]
    assert not hotel.errors()


def _ends(session: Session, ticket: Any) -> None:
    ticket.done, ticket.delete_time = datetime.now(UTC), TOMORROW


def _postpones(session: Session, ticket: Any) -> None:
    ticket.execute_earliest = TOMORROW


def _moves(session: Session, ticket: Any) -> None:
    ticket.lane, ticket.execute_earliest = "elsewhere", TOMORROW


def _deletes(session: Session, ticket: Any) -> None:
    session.delete(ticket)


@pytest.mark.parametrize("act", [_ends, _postpones, _moves, _deletes])
def test_a_job_that_calls_off_tickets_of_other_lanes_is_obeyed(
    hotel: Hotel, act: Callable[[Session, Any], None]
) -> None:
    """From the 21st on, whoever runs first calls off the others, so only one of these runs."""
    hotel.ask(range(1, 41), "disturb")

    def call_off(guest: Guest) -> None:
        if guest.room <= 20:
            return
        session = aw.session(guest)
        others = select(SysAsyncTicket).where(
            SysAsyncTicket.done.is_(None), SysAsyncTicket.id != aw.current_run().ticket
        )
        for ticket in session.scalars(others.order_by(SysAsyncTicket.id).with_for_update()):
            act(session, ticket)

    Guest.during = staticmethod(call_off)
    with hotel.another(workers=1).serving(hotel.engine):
        eventually(lambda: any(1 in numbers for room, numbers in hotel.numbers().items() if room > 20))
        eventually(lambda: not _due(hotel))

    assert Counter(numbers[0] for numbers in hotel.numbers().values()) == {1: 21, None: 19}


def test_a_job_that_brings_forward_the_last_ticket_of_its_lane_is_obeyed(hotel: Hotel) -> None:
    hotel.ask(range(2, 42), "disturb", each=3)

    def bring_forward(guest: Guest) -> None:
        session, run = aw.session(guest), aw.current_run()
        last = select(func.max(SysAsyncTicket.id)).where(SysAsyncTicket.lane == run.lane)
        if guest.number == 1:
            session.get_one(SysAsyncTicket, session.scalar(last)).priority = 1

    Guest.during = staticmethod(bring_forward)
    hotel.serve()

    assert [hotel.numbers()[room] for room in range(2, 42)] == 40 * [[1, 3, 2]]


def _due(hotel: Hotel) -> bool:
    is_due = SysAsyncTicket.execute_earliest.is_(None) | (SysAsyncTicket.execute_earliest < datetime.now(UTC))
    with Session(hotel.engine) as session:
        return bool(session.scalar(select(func.count()).where(SysAsyncTicket.done.is_(None), is_due)))


def test_a_work_that_nobody_knows_to_be_quick_holds_up_no_other_lane(hotel: Hotel) -> None:
    if hotel.engine.dialect.name == "sqlite":
        pytest.skip("a job that hangs inside has the whole file")
    goes_on = threading.Event()

    def hang(guest: Guest) -> None:
        goes_on.wait(20)

    Guest.during = staticmethod(hang)
    for _ in range(QUICK_RUNS_NEEDED):
        hotel.ask(range(1, 2))
    hotel.serve()
    hotel.ask(range(2, 202))
    hotel.ask(range(100, 101), "disturb")
    with hotel.engine.begin() as connection:
        last = select(func.max(SysAsyncTicket.id)).scalar_subquery()
        connection.execute(update(SysAsyncTicket).where(SysAsyncTicket.id == last).values(lane="room 0100 beside"))

    with hotel.app.serving(hotel.engine):
        eventually(lambda: sum(numbers == [1] for numbers in hotel.numbers().values()) >= 198)
        goes_on.set()
        eventually(hotel.is_done)
