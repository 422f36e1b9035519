"""A server in the background: it runs what is saved, is woken by it, and shares the work with others."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import AfterworkError
from afterwork.events import Broken, Event, FellAsleep, Ran, ServerStarted, ServerStopped
from tests.support.prepared import begin_with
from tests.support.waiting import eventually
from tests.support.world import everything, statements


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Counter(Base):
    __tablename__ = "counter"
    id: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Guest(Base):
    __tablename__ = "guest"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]

    during: ClassVar[Callable[["Guest"], None]] = staticmethod(lambda guest: None)

    @aw.method
    def count(self) -> None:
        counter = aw.session(self).get_one(Counter, 1)
        counter.last += 1
        self.number = counter.last

    @aw.method(external=True, lane=None)
    def call(self) -> None:
        Guest.during(self)
        self.number = 0

    @aw.method(lane=None)
    def think(self) -> None:
        Guest.during(self)
        self.number = 0

    @aw.method(retry=aw.Retry(attempts=2, backoff=timedelta(milliseconds=100)))
    def stumble(self) -> None:
        if aw.current_run().attempt == 1:
            raise ValueError("first")
        self.number = 0


def build(engine: Engine) -> None:
    """A place in which nobody has been counted yet."""
    Base.metadata.create_all(engine)
    aw.Afterwork(Base).install(engine)
    with Session(engine) as session, session.begin():
        session.add(Counter(id=1))


class Place:
    """A database in which servers can be started."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seen: list[Event] = []
        begin_with(engine, build)
        self.app = self.another()

    def another(self, **settings: Any) -> aw.Afterwork:
        return aw.Afterwork(Base, on_event=self.seen.append, settings=aw.Settings(**settings))

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]

    def ask(self, name: str = "count", count: int = 1, **wanted: Any) -> None:
        with Session(self.engine) as session, session.begin():
            for _ in range(count):
                guest = Guest()
                session.add(guest)
                aw.later(getattr(guest, name), **wanted)

    def numbers(self) -> list[int | None]:
        with Session(self.engine) as session:
            return list(session.scalars(select(Guest.number).order_by(Guest.id)))

    def wait_until_asleep(self) -> None:
        """Until a server sleeps that nothing but a signal wakes."""
        eventually(lambda: self.of(FellAsleep))

    def all_ran(self) -> bool:
        with Session(self.engine) as session:
            return not session.scalar(select(func.count()).where(SysAsyncTicket.done.is_(None)))


@pytest.fixture
def place(engine: Engine) -> Iterator[Place]:
    Guest.during = staticmethod(lambda guest: None)
    made = Place(engine)
    yield made
    assert made.of(Broken) == []


def test_what_is_saved_before_and_while_it_serves_runs(place: Place) -> None:
    place.ask(count=3)
    with place.app.serving(place.engine):
        eventually(lambda: place.numbers() == [1, 2, 3])
        place.ask(count=2)
        eventually(lambda: place.numbers() == [1, 2, 3, 4, 5])

    assert [type(event) for event in (place.of(ServerStarted) + place.of(ServerStopped))] == [
        ServerStarted,
        ServerStopped,
    ]
    assert place.of(ServerStopped)[0].unfinished == 0


def test_a_sleeping_server_is_woken_by_a_ticket(place: Place) -> None:
    """Not by its next look, which is minutes away."""
    with place.app.serving(place.engine):
        place.wait_until_asleep()
        for _ in range(3):
            began = time.monotonic()
            place.ask()
            eventually(lambda: place.numbers()[-1] is not None)
            assert time.monotonic() - began < 10


def test_a_sleeping_server_is_woken_by_raw_sql(place: Place) -> None:
    with place.app.serving(place.engine):
        place.wait_until_asleep()
        with place.engine.begin() as connection:
            connection.execute(text("INSERT INTO guest (id) VALUES (7)"))
            connection.execute(
                text("INSERT INTO sys_async_ticket (view_model, root_id) VALUES ('Guest.count', 'Guest!7')")
            )
        eventually(lambda: place.numbers() == [1])


def test_a_ticket_that_is_brought_forward_wakes_it_too(place: Place) -> None:
    place.ask(after=timedelta(hours=1))
    with place.app.serving(place.engine):
        place.wait_until_asleep()
        with place.engine.begin() as connection:
            connection.execute(text("UPDATE sys_async_ticket SET execute_earliest = NULL"))
        eventually(lambda: place.numbers() == [1])


def test_it_wakes_at_the_moment_that_a_ticket_waits_for(place: Place) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.5)
    place.ask(at=due)
    with place.app.serving(place.engine):
        eventually(lambda: place.numbers() == [1])

    (ticket,) = everything(place.engine, SysAsyncTicket)
    assert due <= ticket.done < due + timedelta(seconds=5)


def test_a_retry_runs_at_its_moment(place: Place) -> None:
    place.ask("stumble")
    with place.app.serving(place.engine):
        eventually(lambda: place.numbers() == [0])


def test_two_servers_share_the_work_and_the_numbers_have_no_gap(place: Place) -> None:
    others = [place.another(batch=3) for _ in range(2)]
    with ExitStack() as stack:
        for app in others:
            stack.enter_context(app.serving(place.engine))
        for _ in range(10):
            place.ask(count=10)
        eventually(place.all_ran, within=30)

    assert sorted(map(str, place.numbers())) == sorted(map(str, range(1, 101)))
    assert len(place.of(Ran)) == 100


def test_when_one_server_stops_the_other_goes_on(place: Place) -> None:
    with place.another().serving(place.engine):
        with place.another().serving(place.engine):
            place.ask(count=5)
            eventually(place.all_ran)
        place.ask(count=5)
        eventually(place.all_ran)

    assert sorted(map(str, place.numbers())) == sorted(map(str, range(1, 11)))


def test_runs_without_a_lane_go_on_at_the_same_time(place: Place) -> None:
    """As many as there are workers; here, all meet before any goes on."""
    meeting = threading.Barrier(3, timeout=20)

    def during(guest: Guest) -> None:
        meeting.wait()

    Guest.during = staticmethod(during)
    place.ask("call", count=3)
    with place.another(workers=3).serving(place.engine):
        eventually(lambda: place.numbers() == [0, 0, 0])


def test_a_lane_goes_on_while_an_outside_run_takes_long(place: Place) -> None:
    going_on = threading.Event()

    def during(guest: Guest) -> None:
        assert going_on.wait(20)

    Guest.during = staticmethod(during)
    with place.app.serving(place.engine):
        place.ask("call")
        place.ask(count=3)
        eventually(lambda: place.numbers() == [None, 1, 2, 3])
        going_on.set()
        eventually(lambda: place.numbers() == [0, 1, 2, 3])


def test_a_paused_lane_runs_nothing_until_it_is_resumed(place: Place) -> None:
    control = place.app.control(place.engine)
    control.pause("main")
    with place.app.serving(place.engine):
        place.ask(count=2)
        place.ask("think")
        eventually(lambda: place.numbers() == [None, None, 0])
        place.wait_until_asleep()
        assert place.numbers() == [None, None, 0]

        control.resume("main")
        eventually(lambda: place.numbers() == [1, 2, 0])


def test_a_lane_can_be_paused_while_it_is_served(place: Place) -> None:
    control = place.app.control(place.engine)
    with place.app.serving(place.engine):
        place.ask()
        eventually(lambda: place.numbers() == [1])
        control.pause("main")
        place.ask()
        place.ask("think")
        eventually(lambda: place.numbers() == [1, None, 0])

        control.resume("main")
        eventually(lambda: place.numbers() == [1, 2, 0])


def test_a_ticket_that_is_retried_by_hand_runs(place: Place) -> None:
    with Session(place.engine) as session, session.begin():
        session.add(SysAsyncTicket(view_model="Guest.count", root_id="Guest!1"))
    with place.app.serving(place.engine):
        eventually(place.all_ran)
        with Session(place.engine) as session, session.begin():
            session.add(Guest(id=1))
        place.wait_until_asleep()

        place.app.control(place.engine).retry("1")

        eventually(lambda: place.numbers() == [1])


def test_stopping_lets_what_runs_end(place: Place) -> None:
    begun = threading.Event()

    def during(guest: Guest) -> None:
        begun.set()
        time.sleep(0.2)  # what a job does while its server is told to stop

    Guest.during = staticmethod(during)
    place.ask("call")
    with place.app.serving(place.engine):
        assert begun.wait(20)

    assert place.numbers() == [0]
    assert place.of(ServerStopped)[0].unfinished == 0


def test_receipts_are_deleted_by_the_server(place: Place) -> None:
    place.ask(keep=timedelta(0))
    with place.another(prune_every=timedelta(milliseconds=50)).serving(place.engine):
        eventually(lambda: place.numbers() == [1])
        place.ask(keep=timedelta(days=1))
        eventually(lambda: len(everything(place.engine, SysAsyncTicket)) == 1 and place.numbers() == [1, 2])


def test_what_the_server_shows_while_it_is_there(place: Place) -> None:
    insight = place.app.insight(place.engine)
    with place.app.serving(place.engine):
        (server,) = insight.status().servers
        assert server.startswith("1 (process ")

    assert insight.status().servers == []


def test_a_server_that_can_not_start_says_so_where_it_was_started(engine: Engine) -> None:
    with pytest.raises(AfterworkError, match="has no tables of Afterwork"), aw.Afterwork(Base).serving(engine):
        raise AssertionError("not reached")


def test_an_exception_in_the_block_stops_the_server_too(place: Place) -> None:
    with pytest.raises(KeyError), place.app.serving(place.engine):
        raise KeyError

    assert len(place.of(ServerStopped)) == 1


def test_each_look_of_an_idle_server_takes_three_statements(place: Place) -> None:
    """One finds what is due, one shows the servers and all that concerns them, one the leases. Flows are looked after
    at intervals of their own, with or without a look."""
    app = place.another(safety_poll=timedelta(seconds=0.2), standby_poll=timedelta(seconds=0.1))

    def looks(sent: list[str]) -> list[int]:
        return [number for number, statement in enumerate(sent) if statement.startswith("WITH RECURSIVE ticket_group")]

    with app.serving(place.engine):
        place.wait_until_asleep()
        with statements(place.engine) as sent:
            eventually(lambda: len(looks(sent)) > 3)
            of_looks = [statement for statement in sent if "afterwork_prerequisite" not in statement]
            first, *_, last = looks(of_looks)

    assert last - first <= 3 * (len([look for look in looks(of_looks) if first <= look < last]))


def test_an_idle_server_sends_nothing(place: Place) -> None:
    def is_quiet() -> bool:
        with statements(place.engine) as sent:
            time.sleep(0.5)  # the time that is measured
        return not sent

    with place.app.serving(place.engine):
        place.ask()
        eventually(lambda: place.numbers() == [1])
        eventually(is_quiet)
