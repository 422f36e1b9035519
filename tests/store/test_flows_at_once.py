"""The last tickets of a flow that end at the same time, in transactions that don't see one another."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.model.ticket import contract_of
from afterwork.store.tickets.rows import EndedTicket
from afterwork.store.tickets.statements import Tickets, tickets_of
from tests.support.flows import Base, SysAsyncTicket, piece
from tests.support.waiting import eventually
from tests.support.world import World, everything


@pytest.fixture
def world(engine: Engine) -> World:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time.")
    return World(engine, Base)


def tickets(world: World) -> Tickets:
    return tickets_of(contract_of(SysAsyncTicket), world.engine.dialect.name)


def end(world: World, connection: Connection, key: int, error: str | None = None) -> None:
    """End a ticket as a server does, in an open transaction."""
    table = tickets(world)
    row = table.row(connection, key)
    assert row is not None
    table.end(connection, [EndedTicket(row, 10, error)], datetime.now(UTC))


@contextmanager
def beside(function: Any, *args: Any) -> Iterator[Future[Any]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(function, *args)


def waits_for_a_lock(world: World) -> bool:
    asked = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with world.engine.connect() as connection:
        return bool(connection.execute(asked).scalar_one())


def end_and_commit(world: World, key: int, error: str | None = None) -> None:
    with world.engine.begin() as connection:
        end(world, connection, key, error)


def due(world: World) -> list[bool]:
    return [ticket.execute_earliest is None and not ticket.done for ticket in everything(world.engine, SysAsyncTicket)]


def test_the_second_of_the_last_two_knows_that_it_is_the_last(world: World) -> None:
    with world.session() as session, session.begin():
        parts = [aw.later(piece(session, name).do) for name in "ab"]
        aw.after(parts, piece(session, "join").do)

    with world.engine.connect() as connection:
        end(world, connection, 1)
        with beside(end_and_commit, world, 2) as second:
            eventually(lambda: waits_for_a_lock(world))
            connection.commit()
            second.result()

    assert due(world) == [False, False, True]


def test_ends_of_several_joins_in_any_order_do_not_wait_in_a_circle(world: World) -> None:
    """Each of two tickets is awaited by both joins, of which one waits for the other, too; and one fails."""
    with world.session() as session, session.begin():
        parts = [aw.later(piece(session, name).do) for name in "ab"]
        join = aw.after(parts, piece(session, "join").do)
        aw.after([*parts, join], piece(session, "last").do, if_failed="run")
        aw.after(parts[::-1], piece(session, "third").do)

    for round in range(20):
        both = threading.Barrier(2)

        def at_once(key: int, error: str | None) -> None:
            with world.engine.connect() as connection:
                connection.execute(text("SET deadlock_timeout = '10ms'"))
                connection.commit()
                both.wait()
                end(world, connection, key, error)
                connection.rollback() if round < 19 else connection.commit()

        with beside(at_once, 1, "It failed.") as first, beside(at_once, 2, None) as second:
            first.result()
            second.result()

    errors = [ticket.error is not None for ticket in everything(world.engine, SysAsyncTicket)]
    assert errors == [True, False, True, False, True]
    assert due(world)[3]


def test_who_asks_to_wait_keeps_a_ticket_from_ending_before(world: World) -> None:
    with world.session() as session, session.begin():
        aw.later(piece(session, "a").do)

    with world.session() as session:
        aw.after([session.get_one(SysAsyncTicket, 1)], piece(session, "join").do)
        session.flush()
        with beside(end_and_commit, world, 1) as ending:
            eventually(lambda: waits_for_a_lock(world))
            session.commit()
            ending.result()

    assert due(world) == [False, True]


def test_who_asks_to_wait_for_what_is_ending_now_is_not_forgotten(world: World) -> None:
    with world.session() as session, session.begin():
        aw.later(piece(session, "a").do)

    with world.engine.connect() as connection:
        end(world, connection, 1)
        with world.session() as session, session.begin():
            aw.after([session.get_one(SysAsyncTicket, 1)], piece(session, "join").do)
        connection.commit()
    world.run()

    assert everything(world.engine, SysAsyncTicket)[1].done


def test_what_somebody_else_changes_meanwhile_is_decided_later(world: World) -> None:
    with world.session() as session, session.begin():
        aw.after([aw.later(piece(session, "a").do)], piece(session, "join").do)

    with Session(world.engine) as other:
        other.get_one(SysAsyncTicket, 2).keep_receipt_minutes = 20
        other.flush()
        end_and_commit(world, 1)
        assert due(world) == [False, False]
        other.commit()
    world.clock.advance(timedelta(seconds=1))
    world.run()

    assert everything(world.engine, SysAsyncTicket)[1].done
