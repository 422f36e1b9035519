"""A job that knows best: it asks for another attempt at a time of its own, or gives up, whatever its policy says."""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import BadRequest, EndedForGood, RunAgain
from afterwork.events import Failed, PutOff
from tests.support.world import World, everything, the_only

MINUTES = timedelta(minutes=1)


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Payment(Base):
    __tablename__ = "payment"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="new")
    answers: ClassVar[list[Callable[[], object]]] = []
    told: ClassVar[list[str]] = []

    def ask_the_bank(self) -> None:
        self.state = "asked"
        answer = Payment.answers[min(aw.current_run().attempt, len(Payment.answers)) - 1]
        answer()
        self.state = "paid"

    @aw.method
    def collect(self) -> None:
        self.ask_the_bank()

    @aw.method(retry=aw.Retry(attempts=2, backoff=timedelta(days=1)))
    def collect_twice(self) -> None:
        self.ask_the_bank()

    @aw.method(external=True)
    def collect_outside(self) -> None:
        self.ask_the_bank()


class Collection(aw.ViewModel[Payment]):
    @aw.action
    def collect(self) -> None:
        self.root.ask_the_bank()

    @aw.on_exception
    def tell(self, error: Exception) -> None:
        Payment.told.append(str(error))


WORKS = ["collect", "collect_twice", "collect_outside", "Collection"]


def asked(engine: Engine, work: str, *answers: Callable[[], object], count: int = 1) -> World:
    """A world with payments that were asked to be collected. The bank gives an answer at each attempt."""
    Payment.answers, Payment.told = list(answers), []
    world = World(engine, Base)
    with world.session() as session, session.begin():
        for _ in range(count):
            payment = Payment()
            session.add(payment)
            aw.later(Collection(payment) if work == "Collection" else getattr(payment, work))
    return world


def fine() -> None:
    pass


def busy() -> None:
    aw.retry_in(5 * MINUTES, "the bank is busy")


def expired() -> None:
    aw.give_up("the card has expired")


@pytest.mark.parametrize("work", WORKS)
def test_a_job_asks_for_another_attempt_at_a_time_of_its_own(engine: Engine, work: str) -> None:
    world = asked(engine, work, busy, busy, busy, fine)
    began = world.clock.now()

    for attempt in range(1, 4):
        world.run()
        ticket = the_only(engine, SysAsyncTicket)
        assert the_only(engine, Payment).state == "new"
        assert (ticket.done, ticket.attempts, ticket.execute_earliest) == (None, attempt, began + 5 * attempt * MINUTES)
        world.clock.advance(5 * MINUTES)
    world.run()

    ticket = the_only(engine, SysAsyncTicket)
    assert (the_only(engine, Payment).state, ticket.attempts, ticket.error) == ("paid", 4, None)
    put_off = [event for event in world.seen if isinstance(event, PutOff)]
    assert [event.error for event in put_off] == ["The run asked for another attempt in 0:05:00: the bank is busy"] * 3
    assert Payment.told == []


@pytest.mark.parametrize("work", WORKS)
def test_a_job_gives_up_with_words_of_its_own(engine: Engine, work: str) -> None:
    world = asked(engine, work, expired, fine)

    world.run()
    world.clock.advance(timedelta(days=2))
    world.run()

    ticket = the_only(engine, SysAsyncTicket)
    assert (ticket.error, ticket.attempts) == ("the card has expired", 1)
    assert the_only(engine, Payment).state == "new"
    assert [event.error for event in world.seen if isinstance(event, Failed)] == ["the card has expired"]
    assert Payment.told == []


@pytest.mark.parametrize("work", WORKS)
def test_one_of_many_chooses_for_itself_alone(engine: Engine, work: str) -> None:
    def first_only() -> None:
        if aw.current_run().root_id == "Payment!3":
            aw.give_up("this one")
        if aw.current_run().root_id == "Payment!5":
            aw.retry_in(MINUTES)

    world = asked(engine, work, first_only, fine, count=7)

    world.run()

    assert [payment.state for payment in everything(engine, Payment)].count("paid") == 5
    assert {ticket.error for ticket in everything(engine, SysAsyncTicket) if ticket.done} == {None, "this one"}
    world.clock.advance(MINUTES)
    world.run()
    assert [payment.state for payment in everything(engine, Payment)].count("paid") == 6


def test_an_attempt_that_would_come_too_late_is_the_end(engine: Engine) -> None:
    world = asked(engine, "collect", busy)
    with world.session() as session, session.begin():
        aw.later(session.get_one(Payment, 1).collect, not_after=world.clock.now() + MINUTES)

    world.run()

    late = everything(engine, SysAsyncTicket)[1]
    assert late.error == "The run asked for another attempt in 0:05:00: the bank is busy"


def test_who_calls_the_code_by_hand_gets_the_exception() -> None:
    with pytest.raises(RunAgain, match="another attempt in 0:05:00"):
        aw.retry_in(5 * MINUTES)
    with pytest.raises(EndedForGood, match="never again"):
        aw.give_up("never again")


@pytest.mark.parametrize("pause", [5, None, timedelta(seconds=-1), timedelta.max, "soon"])
def test_a_pause_that_is_none_is_refused(pause: object) -> None:
    with pytest.raises(BadRequest, match="give a timedelta from 0 on"):
        aw.retry_in(pause)  # type: ignore[arg-type]


@pytest.mark.parametrize("why", ["", "  ", None, 5])
def test_nobody_gives_up_without_a_reason(why: object) -> None:
    with pytest.raises(BadRequest, match="give the reason as a text"):
        aw.give_up(why)  # type: ignore[arg-type]
