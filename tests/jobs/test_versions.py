"""Classes with a version: a run that meets what somebody else has changed meanwhile is tried again."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.jobs.session import RunSession
from tests.support.world import World, errors, the_only


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    name: Mapped[str] = mapped_column(default="")
    balance: Mapped[int] = mapped_column(default=0)
    __mapper_args__ = {"version_id_col": version}
    meanwhile: list[Callable[[], object]] = []

    @aw.method
    def pay(self) -> None:
        self.balance += 10

    @aw.method(external=True)
    def pay_from_afar(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop()()
        self.balance += 10

    @aw.method
    def stumble(self) -> None:
        aw.session(self).connection().execute(text("UPDATE account SET version = version + 1"))
        self.balance += 10


@pytest.fixture
def world(engine: Engine) -> World:
    """An account, number 1, that nobody has changed."""
    Account.meanwhile.clear()
    world = World(engine, Base)
    with world.session() as session, session.begin():
        session.add(Account(id=1))
    return world


def ask(world: World, method: str) -> None:
    with world.session() as session, session.begin():
        aw.later(getattr(session.get_one(Account, 1), method))


def rename(world: World) -> None:
    """A user changes the account."""
    with world.session() as session, session.begin():
        account = session.get_one(Account, 1)
        account.name = f"{account.name}x"


def run_for_a_while(world: World) -> None:
    """Run all that is due, and what is due after some pauses."""
    for _ in range(5):
        world.run()
        world.clock.advance(timedelta(minutes=1))


def test_a_run_of_its_own_that_meets_a_change_of_a_user_is_tried_again(world: World) -> None:
    ask(world, "pay_from_afar")
    Account.meanwhile.append(lambda: rename(world))

    run_for_a_while(world)

    account = the_only(world.engine, Account)
    assert (account.name, account.balance) == ("x", 10)
    assert errors(world.engine, SysAsyncTicket) == [None]
    assert the_only(world.engine, SysAsyncTicket).done is not None


def test_a_ticket_that_is_overtaken_within_its_transaction_is_tried_again_at_once(world: World) -> None:
    if world.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    ask(world, "pay")
    acts = [rename]

    def overtake(*_: object) -> None:
        if acts:
            acts.pop()(world)

    event.listen(RunSession, "before_flush", overtake)
    try:
        world.run()
    finally:
        event.remove(RunSession, "before_flush", overtake)

    account = the_only(world.engine, Account)
    assert (account.name, account.balance, acts) == ("x", 10, [])
    assert errors(world.engine, SysAsyncTicket) == [None]


def test_a_run_that_gets_in_its_own_way_ends_with_the_error(world: World) -> None:
    ask(world, "stumble")

    run_for_a_while(world)

    assert the_only(world.engine, Account).balance == 0
    ticket = the_only(world.engine, SysAsyncTicket)
    assert "StaleDataError: UPDATE statement on table 'account'" in str(ticket.error)
    assert (ticket.attempts, ticket.done is not None) == (3, True)
