"""`aw.wait` comes back when a ticket has ended, and says how."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

import afterwork as aw
from afterwork.errors import (
    BadRequest,
    NeverEnds,
    NoSession,
    NotEndedYet,
    ResultLost,
    TicketFailed,
    TicketIsGone,
)
from tests.support.packing import Base, Order, Receipt, SysAsyncTicket
from tests.support.waiting import eventually
from tests.support.world import World, statements

LONG = timedelta(seconds=60)
"""Longer than anything here takes."""

SOON = timedelta(seconds=0.05)


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    yield World(engine, Base)
    engine.dispose()


@pytest.fixture
def session(world: World) -> Iterator[Session]:
    with Session(world.engine) as session:
        yield session


@pytest.fixture
def order(session: Session) -> Order:
    made = Order()
    session.add(made)
    session.commit()
    return made


def waiting_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "afterwork waiting room"]


def test_it_returns_the_result_once_a_server_has_done_the_work(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    session.commit()
    with world.app.serving(world.engine):
        number = aw.wait(ticket, of=Order.assign_number, timeout=LONG)
    assert number == order.id * 10


def test_the_result_is_what_the_annotation_says(world: World, session: Session, order: Order) -> None:
    charge, copy = aw.later(order.charge.given(Decimal("12.50"))), aw.later(order.copy)
    session.commit()
    with world.app.serving(world.engine):
        assert aw.wait(charge, timeout=LONG) == Receipt(Decimal("12.50"), "s3cret")
        made = aw.wait(copy, of=order.copy, timeout=LONG)
    assert isinstance(made, Order)
    assert made in session


def test_a_ticket_that_has_ended_is_not_waited_for(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    session.commit()
    world.run()
    assert aw.wait(ticket, timeout=LONG) == order.id * 10
    assert ticket.done is not None


def test_a_failure_is_raised_with_its_first_line(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.fail)
    session.commit()
    world.run()
    with pytest.raises(
        TicketFailed, match=r"^Order.fail \(ticket 1\) ended with an Error: NoStock: nothing is left$"
    ) as e:
        aw.wait(ticket, timeout=LONG)
    assert "not one" in e.value.error
    assert (e.value.work, e.value.ticket) == ("Order.fail", "1")


def test_a_ticket_that_is_cancelled_by_hand_wakes_who_waits(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number, after=timedelta(hours=1))
    session.commit()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(aw.wait, ticket, timeout=LONG)
        eventually(waiting_threads)
        world.app.control(world.engine).cancel_tickets(["1"], who="Ann")
        with pytest.raises(TicketFailed, match="Cancelled by Ann"):
            waiting.result()


def test_after_the_timeout_it_says_that_the_ticket_goes_on(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    session.commit()
    with pytest.raises(NotEndedYet, match=r"has not ended within 0\.05 s"):
        aw.wait(ticket, timeout=SOON)
    with pytest.raises(TimeoutError):
        asyncio.run(aw.wait_async(ticket, timeout=SOON))
    world.run()
    assert aw.wait(ticket, timeout=LONG) == order.id * 10


def test_a_ticket_that_is_gone_is_not_waited_for(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    session.commit()
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM sys_async_ticket"))
    with pytest.raises(TicketIsGone, match="The ticket '1' is gone"):
        aw.wait(ticket, timeout=LONG)
    session.delete(ticket)


def test_a_ticket_that_is_deleted_meanwhile_is_told_at_once(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    session.commit()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(aw.wait, ticket, timeout=LONG)
        eventually(waiting_threads)
        with world.engine.begin() as connection:
            connection.execute(text("DELETE FROM sys_async_ticket"))
        with pytest.raises(TicketIsGone):
            waiting.result()


def test_what_is_not_committed_would_never_end(session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    with pytest.raises(NeverEnds, match="the ticket is not saved yet"):
        aw.wait(ticket)
    session.flush()
    with pytest.raises(NeverEnds, match=r"is not committed"):
        aw.wait(ticket)
    with pytest.raises(NeverEnds, match=r"is not committed"):
        asyncio.run(aw.wait_async(ticket))
    session.rollback()
    with pytest.raises(NeverEnds, match="rolled back"):
        aw.wait(ticket)


def test_a_run_inside_a_transaction_does_not_wait(engine: Engine) -> None:
    class Own(DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Own):
        pass

    class Item(Own):
        __tablename__ = "item"
        id: Mapped[int] = mapped_column(primary_key=True)

        @aw.method
        def wait(self) -> None:
            aw.wait(aw.session(self).get_one(SysAsyncTicket, 1))

    world = World(engine, Own)
    with world.session() as session, session.begin():
        item = Item()
        session.add(item)
        ticket = aw.later(item.wait)
    world.run()
    with world.session() as session:
        assert "this run is inside a transaction" in (session.get_one(SysAsyncTicket, ticket.id).error or "")


def test_in_a_transaction_of_somebody_else_only_what_has_ended_is_told(world: World) -> None:
    with world.engine.connect() as connection, connection.begin(), Session(connection) as session:
        order = Order()
        session.add(order)
        ticket = aw.later(order.assign_number)
        session.commit()
        with pytest.raises(NeverEnds, match="inside a transaction of somebody else"):
            aw.wait(ticket)
        connection.execute(text("UPDATE sys_async_ticket SET done = created, result = '7'"))
        assert aw.wait(ticket) == 7


def test_a_database_in_memory_has_nobody_to_wait_for() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    world = World(engine, Base)
    with Session(engine) as session:
        order = Order()
        session.add(order)
        ticket = aw.later(order.assign_number)
        session.commit()
        with pytest.raises(NeverEnds, match="in memory"):
            aw.wait(ticket)
        session.commit()
        world.run()
        assert aw.wait(ticket) == 10


def test_a_ticket_without_a_session_needs_an_engine(world: World, session: Session, order: Order) -> None:
    ticket, other = aw.later(order.assign_number), aw.later(order.copy)
    session.commit()
    world.run()
    session.close()
    with pytest.raises(NoSession, match="Give it: engine="):
        aw.wait(ticket)
    assert aw.wait(ticket, engine=world.engine, timeout=LONG) == 10
    with pytest.raises(ResultLost, match="in no session"):
        aw.wait(other, engine=world.engine, timeout=LONG)


@pytest.mark.parametrize("wrong", [None, 7, "1", Order()])
def test_only_tickets_are_waited_for(wrong: Any) -> None:
    with pytest.raises(BadRequest, match="is no ticket"):
        aw.wait(wrong)


def test_wrong_options_are_refused(session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    session.flush()
    with pytest.raises(BadRequest, match="timeout=5: give a timedelta"):
        aw.wait(ticket, timeout=5)  # type: ignore[call-overload]
    with pytest.raises(BadRequest, match="of=5: give the method"):
        aw.wait(ticket, of=5)  # type: ignore[call-overload]
    with pytest.raises(BadRequest, match=r"the ticket asks for Order\.assign_number"):
        aw.wait(ticket, of=Order.copy)


def test_a_result_that_was_not_kept_is_missed_by_who_waits(world: World, session: Session, order: Order) -> None:
    odd, plain = aw.later(order.odd), aw.later(order.plain)
    session.commit()
    world.run()
    with pytest.raises(ResultLost, match=r"Order\.odd was done, but its result was not kept"):
        aw.wait(odd, timeout=LONG)
    assert aw.wait(plain, timeout=LONG) is None


def test_a_result_whose_object_is_gone_is_lost(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.copy)
    session.commit()
    world.run()
    session.delete(session.get_one(Order, 2))
    session.commit()
    with pytest.raises(ResultLost, match="Order!2, which is not there"):
        aw.wait(ticket, timeout=LONG)


def test_a_ticket_class_without_result_says_so_only_where_one_is_expected(engine: Engine) -> None:
    class Own(DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Own):
        result = None

    class Item(Own):
        __tablename__ = "item"
        id: Mapped[int] = mapped_column(primary_key=True)

        @aw.method
        def give(self) -> int:
            return 1

        @aw.method
        def work(self) -> None: ...

    world = World(engine, Own)
    with Session(engine) as session:
        item = Item()
        session.add(item)
        give, work = aw.later(item.give), aw.later(item.work)
        session.commit()
        world.run()
        assert aw.wait(work, timeout=LONG) is None
        with pytest.raises(ResultLost, match="has no attribute result"):
            aw.wait(give, timeout=LONG)


def test_a_hundred_waiters_share_one_thread_and_one_connection(world: World, session: Session, order: Order) -> None:
    tickets = [aw.later(order.plain.given(n)) for n in range(100)]
    session.commit()

    async def results() -> list[Any]:
        waiting = [asyncio.create_task(aw.wait_async(ticket, timeout=LONG)) for ticket in tickets]
        await asyncio.sleep(0)
        assert len(waiting_threads()) == 1
        with world.app.serving(world.engine):
            return await asyncio.gather(*waiting)

    before = threading.active_count()
    assert asyncio.run(results()) == list(range(100))
    eventually(lambda: threading.active_count() <= before + 1)
    world.engine.dispose()
    eventually(lambda: not waiting_threads())


def test_two_who_wait_for_one_ticket_both_get_its_result(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    session.commit()

    async def both() -> list[int]:
        waiting = [asyncio.create_task(aw.wait_async(ticket, of=Order.assign_number, timeout=LONG)) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.to_thread(world.run)
        return await asyncio.gather(*waiting)

    assert asyncio.run(both()) == [10, 10]


def test_who_gives_up_leaves_the_others_waiting(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    session.commit()

    async def one_gives_up() -> int:
        patient = asyncio.create_task(aw.wait_async(ticket, of=Order.assign_number, timeout=LONG))
        with pytest.raises(NotEndedYet):
            await aw.wait_async(ticket, timeout=SOON)
        await asyncio.to_thread(world.run)
        return await patient

    assert asyncio.run(one_gives_up()) == 10


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("off", ["listen", "notify"])
def test_where_servers_poll_waiting_polls_too(engine: Engine, off: str) -> None:
    settings = aw.Settings(standby_poll=timedelta(seconds=0.01), **{off: False})  # type: ignore[arg-type]
    world = World(engine, Base, settings=settings)
    with Session(engine) as session, ThreadPoolExecutor() as threads:
        order = Order()
        session.add(order)
        ticket = aw.later(order.assign_number)
        session.commit()
        waiting = threads.submit(aw.wait, ticket, timeout=LONG)
        eventually(waiting_threads)
        world.run()
        assert waiting.result() == 10
        assert session.execute(text("SELECT * FROM afterwork_waiter")).all() == []


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_rows_of_programs_that_are_gone_are_deleted(world: World, session: Session, order: Order) -> None:
    ticket = aw.later(order.assign_number)
    session.execute(text("INSERT INTO afterwork_waiter VALUES ('1', 1), ('2', 1)"))
    session.commit()
    world.run()
    assert aw.wait(ticket, timeout=LONG) == 10
    session.commit()
    eventually(lambda: is_empty(world.engine))


def is_empty(engine: Engine) -> bool:
    """Whether nobody waits, as PostgreSQL knows it."""
    with engine.connect() as connection:
        return connection.execute(text("SELECT * FROM afterwork_waiter")).first() is None


def test_the_end_of_a_ticket_costs_no_statement_more(world: World, session: Session, order: Order) -> None:
    aw.later(order.nothing)
    session.commit()
    world.run()
    aw.later(order.nothing)
    session.commit()
    with statements(world.engine) as sent:
        world.run()
    assert not [statement for statement in sent if "afterwork_waiter" in statement or "notify" in statement.lower()]
    assert SysAsyncTicket.__tablename__ in "".join(sent)
