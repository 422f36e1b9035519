"""A request can be unique for a period: one that has begun, or is done, counts as long as the period lasts."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import BadRequest
from tests.support.prepared import installed
from tests.support.world import World

HOUR = timedelta(hours=1)


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    fails: Mapped[bool] = mapped_column(default=False)
    reminded: Mapped[int] = mapped_column(default=0)
    asks: ClassVar[list[Callable[["Order"], object]]] = []

    @aw.method
    def remind(self, by: str = "mail", amount: Decimal = Decimal(0)) -> None:
        if self.fails:
            raise ValueError("no address")
        self.reminded += 1

    @aw.method(external=True)
    def remind_outside(self) -> None:
        for ask in self.asks:
            ask(self)

    @aw.method(external=True)
    async def remind_async(self) -> None:
        for ask in self.asks:
            ask(self)


app = aw.Afterwork(Base)


@app.job
def tidy(what: str = "all") -> None: ...


@pytest.fixture
def world(engine: Engine) -> World:
    installed(engine, Base)
    world = World(engine, Base)
    with world.session() as session, session.begin():
        session.add(Order())
    return world


def ask(world: World, by: str = "mail", unique: timedelta | aw.By = HOUR) -> int:
    with world.session() as session, session.begin():
        ticket = aw.later(session.get_one(Order, 1).remind.given(by), unique=unique)
    return ticket.id


def let_pass(world: World, span: timedelta) -> None:
    """Let all tickets be older."""
    with world.session() as session, session.begin():
        session.execute(update(SysAsyncTicket).values(created=aw.SystemClock().now() - span))


def test_a_reminder_is_sent_once_within_the_hour_however_often_it_is_asked_for(world: World) -> None:
    first = ask(world)
    world.run()
    assert ask(world) == first

    let_pass(world, HOUR - timedelta(minutes=1))
    assert ask(world) == first
    world.run()

    let_pass(world, HOUR)
    assert ask(world) != first
    world.run()
    with world.session() as session:
        assert session.get_one(Order, 1).reminded == 2


def test_only_equal_arguments_count_or_those_that_are_named(world: World) -> None:
    by_way = aw.by("by", within=HOUR)
    with world.session() as session, session.begin():
        order = session.get_one(Order, 1)
        mail = aw.later(order.remind.given("mail", Decimal(1)), unique=HOUR)
    world.run()
    with world.session() as session, session.begin():
        order = session.get_one(Order, 1)
        assert aw.later(order.remind.given("mail", Decimal(1)), unique=HOUR).id == mail.id
        assert aw.later(order.remind.given("mail", Decimal(2)), unique=by_way).id == mail.id
        assert aw.later(order.remind.given("phone", Decimal(1)), unique=by_way).id != mail.id
        assert aw.later(order.remind.given("mail", Decimal(2)), unique=HOUR).id != mail.id


def test_one_that_failed_does_not_count(world: World) -> None:
    with world.session() as session, session.begin():
        session.get_one(Order, 1).fails = True
    first = ask(world)
    world.run()
    assert ask(world) != first


def test_one_whose_run_goes_on_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def asks(order: Order) -> None:
        with world.session() as session, session.begin():
            same = session.get_one(Order, 1).remind_outside
            asked.append((aw.later(same, unique=HOUR).id, aw.current_run().ticket))

    monkeypatch.setattr(Order, "asks", [asks])
    with world.session() as session, session.begin():
        aw.later(session.get_one(Order, 1).remind_outside)
    world.run()
    assert asked == [(1, 1)]


@pytest.mark.parametrize("work", ["remind_outside", "remind_async"])
def test_what_an_external_run_asks_for_is_unique_for_a_period_too(
    world: World, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    monkeypatch.setattr(Order, "asks", [lambda order: aw.later(order.remind, unique=HOUR)])
    for _ in range(2):
        with world.session() as session, session.begin():
            aw.later(getattr(session.get_one(Order, 1), work))
        world.run()
    assert [ticket.view_model for ticket in world.all(SysAsyncTicket)].count("Order.remind") == 1


def test_a_receipt_stays_for_the_period(world: World) -> None:
    with world.session() as session, session.begin():
        order = session.get_one(Order, 1)
        assert aw.later(order.remind, unique=timedelta(minutes=1)).keep_receipt_minutes == 10
        assert aw.later(order.remind, unique=HOUR).keep_receipt_minutes == 60
        assert aw.later(order.remind, unique=HOUR, keep=2 * HOUR).keep_receipt_minutes == 120
        assert aw.later(order.remind, unique=HOUR).keep_receipt_minutes == 120
        with pytest.raises(BadRequest, match="its receipt must stay for that long"):
            aw.later(order.remind, unique=HOUR, keep=timedelta(minutes=59))


def test_work_without_a_root_can_be_unique_for_a_period(world: World) -> None:
    with world.session() as session, session.begin():
        aw.later(tidy, session=session)
    World(world.engine, Base).run()
    with world.session() as session, session.begin():
        session.execute(update(SysAsyncTicket).values(error=None))
        assert aw.later(tidy, session=session, unique=HOUR).id == 1
        assert aw.later(tidy.given("mail"), session=session, unique=HOUR).id != 1


def test_whoever_asks_at_the_same_time_gets_the_same_ticket(world: World) -> None:
    start = threading.Barrier(6)
    tickets: list[int] = []

    def ask_often() -> None:
        start.wait()
        tickets.extend(ask(world) for _ in range(4))

    threads = [threading.Thread(target=ask_often) for _ in range(6)]
    for thread in threads:
        thread.start()
    world.run()
    for thread in threads:
        thread.join()
    assert (len(tickets), len(set(tickets))) == (24, 1)


@pytest.mark.parametrize("period", [timedelta(0), -HOUR])
def test_a_period_is_longer_than_none(world: World, period: timedelta) -> None:
    with pytest.raises(BadRequest, match="give a period"):
        ask(world, unique=period)
    with pytest.raises(BadRequest, match="give a period"):
        aw.by("by", within=period)


# Each request postpones the pending one.


def due(world: World, at: datetime | None, unique: bool | aw.Debounce = True) -> datetime | None:
    """Ask for a reminder. Return when it is due then."""
    with world.session() as session, session.begin():
        aw.later(session.get_one(Order, 1).remind, at=at, unique=unique)
    (ticket,) = world.all(SysAsyncTicket)
    return ticket.execute_earliest  # type: ignore[no-any-return]


def test_each_request_postpones_the_pending_one_at_most_by_what_is_said(world: World) -> None:
    now, unique = aw.SystemClock().now(), aw.debounce(timedelta(minutes=5))
    for minutes in (2, 4, 3):
        moment = now + timedelta(minutes=minutes)
        assert due(world, moment, unique) == moment
    (ticket,) = world.all(SysAsyncTicket)
    assert due(world, now + HOUR, unique) == ticket.created + timedelta(minutes=5)


def test_what_somebody_wants_at_once_is_not_postponed(world: World) -> None:
    moment = aw.SystemClock().now() + HOUR
    assert due(world, None) is None
    assert due(world, moment, aw.debounce(timedelta(minutes=5))) is None


def test_requests_with_other_arguments_postpone_nothing(world: World) -> None:
    unique = aw.debounce(HOUR, aw.by("by"))
    with world.session() as session, session.begin():
        order = session.get_one(Order, 1)
        mail = aw.later(order.remind.given("mail"), after=timedelta(minutes=1), unique=unique)
        early = mail.execute_earliest
        assert early is not None
        assert aw.later(order.remind.given("phone"), after=timedelta(minutes=2), unique=unique) is not mail
        assert mail.execute_earliest == early
        assert aw.later(order.remind.given("mail", Decimal(7)), after=timedelta(minutes=2), unique=unique) is mail
        assert mail.execute_earliest is not None
        assert mail.execute_earliest > early


def test_a_request_that_postpones_nothing_is_refused(world: World) -> None:
    with world.session() as session:
        order = session.get_one(Order, 1)
        with pytest.raises(BadRequest, match="give after= or at="):
            aw.later(order.remind, unique=aw.debounce(HOUR))
        with pytest.raises(BadRequest, match=r"after=1 day, 0:00:00 is longer than the 1:00:00"):
            aw.later(order.remind, after=timedelta(days=1), unique=aw.debounce(HOUR))
        assert not session.new
    with pytest.raises(BadRequest, match="give a period"):
        aw.debounce(timedelta(0))
    with pytest.raises(BadRequest, match=r"takes no aw\.by\(…, within=…\)"):
        aw.debounce(HOUR, aw.by("by", within=HOUR))
    with pytest.raises(BadRequest, match=r'give aw\.by\("reason"\)'):
        aw.debounce(HOUR, "by")  # type: ignore[arg-type]
