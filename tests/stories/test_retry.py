"""Retry with back-off: the post office is closed, so the letter is tried again later."""

from datetime import timedelta
from typing import ClassVar

from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.world import World, the_only


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class PostOfficeClosed(Exception):
    pass


class Letter(Base):
    __tablename__ = "letter"
    id: Mapped[int] = mapped_column(primary_key=True)
    sent: Mapped[bool] = mapped_column(default=False)

    closed_for: ClassVar[int] = 0

    @aw.method(retry=aw.Retry(attempts=3, backoff=timedelta(minutes=1), on=(PostOfficeClosed,)))
    def send(self) -> None:
        self.sent = True
        if aw.current_run().attempt <= Letter.closed_for:
            raise PostOfficeClosed("come back tomorrow")


def test_a_letter_goes_out_once_the_post_office_is_open(engine: Engine) -> None:
    world = World(engine, Base)
    Letter.closed_for = 2
    with world.session() as session, session.begin():
        letter = Letter()
        session.add(letter)
        aw.later(letter.send)

    for _ in range(2):
        world.run()
        assert not the_only(engine, Letter).sent
        assert the_only(engine, SysAsyncTicket).done is None
        world.clock.advance(timedelta(minutes=1))
    world.run()

    assert the_only(engine, Letter).sent
    ticket = the_only(engine, SysAsyncTicket)
    assert (ticket.attempts, ticket.error) == (3, None)


def test_after_the_last_attempt_the_ticket_says_why(engine: Engine) -> None:
    world = World(engine, Base)
    Letter.closed_for = 100
    with world.session() as session, session.begin():
        letter = Letter()
        session.add(letter)
        aw.later(letter.send)

    for _ in range(5):
        world.run()
        world.clock.advance(timedelta(minutes=1))

    assert not the_only(engine, Letter).sent
    ticket = the_only(engine, SysAsyncTicket)
    assert ticket.attempts == 3
    assert ticket.error.startswith("PostOfficeClosed: come back tomorrow")
