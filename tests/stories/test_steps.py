"""Steps: what an external run does elsewhere is done once, however often the run is tried."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, StaticPool, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import NoCurrentRun
from afterwork.events import Broken
from afterwork.store.tables import step as steps
from tests.support.world import World, everything, the_only


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    paid: Mapped[str | None]
    does: ClassVar[Callable[["Order"], None]]

    @aw.method(external=True, retry=aw.Retry(attempts=3, backoff=timedelta(0)))
    def pay(self) -> None:
        Order.does(self)

    @aw.method
    def pay_inside(self) -> None:
        Order.does(self)


@dataclass(frozen=True)
class Receipt:
    number: int
    amount: Decimal
    at: datetime


class Card(Enum):
    VISA = "visa"
    MASTER = "master"


class Bank:
    """What another system was asked to do."""

    def __init__(self) -> None:
        self.charged: list[Decimal] = []

    def charge(self, amount: Decimal, *, card: Card = Card.VISA) -> Receipt:
        self.charged.append(amount)
        return Receipt(len(self.charged), amount, datetime(2026, 12, 1, tzinfo=UTC))


def asked(engine: Engine, does: Callable[[Order], None], work: str = "pay", count: int = 1) -> World:
    """A world in which orders were asked to be paid, by code that a test gives."""
    Order.does = does
    world = World(engine, Base)
    with world.session() as session, session.begin():
        for _ in range(count):
            order = Order()
            session.add(order)
            aw.later(getattr(order, work))
    return world


def kept(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(steps)).scalar_one()


def test_a_step_is_done_once_however_often_the_run_is_tried(engine: Engine) -> None:
    bank, receipts = Bank(), list[Receipt]()

    def pay(order: Order) -> None:
        receipts.append(aw.step("charge", bank.charge, Decimal("12.50"), card=Card.MASTER))
        if aw.current_run().attempt < 3:
            raise ConnectionError("the mail server is away")
        order.paid = str(receipts[-1].number)

    asked(engine, pay).run()

    assert bank.charged == [Decimal("12.50")]
    assert receipts == [Receipt(1, Decimal("12.50"), datetime(2026, 12, 1, tzinfo=UTC))] * 3
    assert the_only(engine, Order).paid == "1"


def test_a_database_in_memory_knows_them_too(in_memory: Engine) -> None:
    """It has one connection, on which an external run can't write. So they are written when the attempt has ended."""
    test_a_step_is_done_once_however_often_the_run_is_tried(in_memory)


@pytest.fixture
def in_memory() -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    yield engine
    engine.dispose()


def test_each_run_has_steps_of_its_own(engine: Engine) -> None:
    bank = Bank()

    asked(engine, lambda order: void(aw.step("charge", bank.charge, Decimal(order.id))), count=3).run()

    assert sorted(bank.charged) == [1, 2, 3]


def test_a_step_that_raises_is_done_again(engine: Engine) -> None:
    calls: list[int] = []

    def charge() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError
        return len(calls)

    def pay(order: Order) -> None:
        order.paid = str(aw.step("charge", charge))

    asked(engine, pay).run()

    assert (the_only(engine, Order).paid, len(calls)) == ("2", 2)


def test_steps_outlast_the_failure_and_are_known_when_it_is_tried_again_by_hand(engine: Engine) -> None:
    bank, is_fine = Bank(), list[bool]()

    def pay(order: Order) -> None:
        aw.step("charge", bank.charge, Decimal(5))
        if not is_fine:
            aw.give_up("the address is missing")

    world = asked(engine, pay)
    world.run()
    assert the_only(engine, SysAsyncTicket).error == "the address is missing"

    is_fine.append(True)
    world.app.control(engine).retry_tickets(["1"], "Ann")
    world.run()

    assert the_only(engine, SysAsyncTicket).error is None
    assert bank.charged == [5]


def test_steps_go_with_the_receipt(engine: Engine) -> None:
    world = asked(engine, lambda order: void(aw.step("charge", Bank().charge, Decimal(5))))
    world.run()
    assert kept(engine) == 1

    world.clock.advance(timedelta(minutes=11))
    world.run()

    assert everything(engine, SysAsyncTicket) == []
    assert kept(engine) == 0


def a_text() -> str:
    return "ä\n'"


def nothing() -> None:
    return None


def a_date() -> date:
    return date(2026, 2, 28)


def cards() -> list[Card]:
    return [Card.VISA, Card.MASTER]


def by_name() -> dict[str, Decimal | None]:
    return {"a": Decimal("1.0"), "b": None}


def without_annotation():  # type: ignore[no-untyped-def]
    return {"id": [1, 2.5, True, None, "x"]}


RESULTS: Sequence[Callable[[], Any]] = (a_text, nothing, a_date, cards, by_name, without_annotation, lambda: 7)


@pytest.mark.parametrize("function", RESULTS, ids=lambda function: function.__name__)
def test_a_kept_result_is_what_the_function_returned(engine: Engine, function: Callable[[], Any]) -> None:
    seen: list[Any] = []

    def pay(order: Order) -> None:
        seen.append(aw.step("it", function))
        if len(seen) == 1:
            raise ConnectionError

    asked(engine, pay).run()

    assert [(type(each), each) for each in seen] == [(type(function()), function())] * 2


def test_a_function_in_c_is_a_step_too(engine: Engine) -> None:
    def pay(order: Order) -> None:
        order.paid = str(aw.step("largest", max, 3, 5))

    asked(engine, pay).run()

    assert the_only(engine, Order).paid == "5"


def test_what_cannot_be_kept_is_returned_and_told(engine: Engine) -> None:
    """Failing would only repeat the step."""

    def opened():  # type: ignore[no-untyped-def]
        return object()

    def pay(order: Order) -> None:
        order.paid = type(aw.step("open", opened)).__name__

    world = asked(engine, pay)
    world.run()

    assert the_only(engine, Order).paid == "object"
    (told,) = (event for event in world.seen if isinstance(event, Broken))
    assert "keeping the step 'open' of Order.pay" in str(told)
    assert kept(engine) == 0


def returns_a_loop() -> asyncio.AbstractEventLoop:
    raise AssertionError("it is refused before")


REFUSED: dict[str, tuple[Callable[[Order], None], str, str]] = {
    "inside a transaction": (lambda order: void(aw.step("it", a_text)), "pay_inside", "declare the work external=True"),
    "a name twice": (lambda order: void(aw.step("it", a_text), aw.step("it", a_text)), "pay", "has had a step"),
    "no name": (lambda order: void(aw.step("", a_text)), "pay", "give it a name of 1 to 200 characters"),
    "a long name": (lambda order: void(aw.step("x" * 201, a_text)), "pay", "give it a name of 1 to 200 characters"),
    "a class that can't be kept": (lambda order: void(aw.step("it", returns_a_loop)), "pay", "its result"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_step_that_can_not_be_is_refused(engine: Engine, kind: str) -> None:
    does, work, words = REFUSED[kind]
    world = asked(engine, does, work)
    world.run()

    assert words in str(the_only(engine, SysAsyncTicket).error)


def test_a_kept_result_that_no_longer_fits_is_told(engine: Engine) -> None:
    def pay(order: Order) -> None:
        aw.step("charge", a_text if aw.current_run().attempt == 1 else a_date)
        raise ConnectionError

    asked(engine, pay).run()

    assert "with a result that this code can't read" in str(the_only(engine, SysAsyncTicket).error)


def test_there_are_no_steps_outside_runs() -> None:
    with pytest.raises(NoCurrentRun):
        aw.step("it", a_text)


def void(*_: object) -> None:
    pass
