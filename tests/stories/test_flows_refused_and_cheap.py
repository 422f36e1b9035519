"""What can't be waited for, told at the call, and what flows cost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import BadRequest, NotInstalled
from tests.support.effort import effort
from tests.support.flows import Base, SysAsyncTicket, piece
from tests.support.world import World, statements


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


class Bad:
    """Things that nobody can wait for, by what the error says of them."""

    @staticmethod
    def never_added(session: Session) -> Any:
        return [SysAsyncTicket(view_model="Piece.do")]

    @staticmethod
    def of_another_session(session: Session) -> Any:
        return [aw.later(piece(Session(session.get_bind()), "other").do)]

    @staticmethod
    def no_ticket(session: Session) -> Any:
        return [piece(session, "a").do]

    @staticmethod
    def no_list(session: Session) -> Any:
        return aw.later(piece(session, "a").do)

    @staticmethod
    def failed(session: Session) -> Any:
        ticket = SysAsyncTicket(view_model="Piece.do", done=datetime.now(UTC), error="It failed.")
        session.add(ticket)
        session.flush()
        return [ticket]

    @staticmethod
    def deleted(session: Session) -> Any:
        ticket = aw.later(piece(session, "a").do)
        session.flush()
        session.delete(ticket)
        return [ticket]

    @staticmethod
    def many_of_another_session(session: Session) -> Any:
        other = Session(session.get_bind())
        return aw.later_many([piece(other, "a").do])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Bad.never_added, "is in no session"),
        (Bad.of_another_session, "is in another session"),
        (Bad.no_ticket, "waits for tickets of the class SysAsyncTicket"),
        (Bad.no_list, "waits for tickets, not for"),
        (Bad.failed, "has ended with an Error"),
        (Bad.deleted, "was deleted"),
        (Bad.many_of_another_session, "are in another session"),
    ],
)
def test_what_cannot_be_waited_for_is_refused_and_nothing_is_saved(
    world: World, bad: Callable[[Session], Any], message: str
) -> None:
    with world.session() as session:
        join = piece(session, "join")
        session.flush()
        if world.engine.dialect.name == "sqlite":
            session.commit()  # others may write
        tickets = bad(session)
        new = len(session.new)

        with pytest.raises(BadRequest, match=message):
            aw.after(tickets, join.do)

        assert len(session.new) == new


def test_an_unknown_policy_is_refused(world: World) -> None:
    with world.session() as session, pytest.raises(BadRequest, match="if_failed='explode'"):
        aw.after([], piece(session, "a").do, if_failed="explode")  # type: ignore[arg-type]


def test_a_database_without_the_tables_of_flows_is_told_so(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    with Session(engine) as session, pytest.raises(NotInstalled):
        aw.after([aw.later(piece(session, "a").do)], piece(session, "join").do)
        session.flush()


def test_tickets_without_a_flow_cost_no_statement_more(world: World) -> None:
    """Neither those that ask for them send one about flows, nor the transaction that ends them."""
    with world.session() as session, session.begin():
        session.add(piece(session, "a"))
    with statements(world.engine) as asking, world.session() as session, session.begin():
        aw.later(piece(session, "a").do)
    assert not [sent for sent in asking if "afterwork_flow" in sent]

    with statements(world.engine) as running:
        world.run()

    about_flows = [sent for sent in running if "afterwork_flow" in sent and not sent.startswith("UPDATE")]
    assert len(about_flows) == 2  # the look before the run, and that for expired receipts after it


@pytest.mark.parametrize("width", [20, 200])
def test_the_end_of_one_costs_the_same_however_many_others_there_are(world: World, width: int) -> None:
    with world.session() as session, session.begin():
        many = aw.later_many((piece(session, f"{number}").do for number in range(width)), after=timedelta(hours=1))
        first = aw.later(piece(session, "first").do)
        aw.after([many, first], piece(session, "join").do)

    with statements(world.engine) as sent:
        world.run()

    about_flows = [each for each in sent if "afterwork_prerequisite" in each or "afterwork_flow" in each]
    assert len(about_flows) == 8


def test_the_look_after_flows_reads_little_while_there_are_none(world: World) -> None:
    with world.session() as session, session.begin():
        aw.later_many(piece(session, f"{number}").do for number in range(300))
    world.run()

    with statements(world.engine) as sent:
        world.run()

    assert len([each for each in sent if "afterwork_prerequisite.ticket" in each]) == 1


def test_rows_read_for_the_end_of_one_do_not_grow_with_the_others(engine: Engine) -> None:
    """Neither of tickets nor of pairs."""
    world = World(engine, Base)
    efforts = []
    for width in (50, 800):
        with world.session() as session, session.begin():
            names = [f"{width} {number}" for number in range(width)]
            many = aw.later_many((piece(session, name).do for name in names), after=timedelta(hours=1))
            first = aw.later(piece(session, f"first of {width}").do)
            aw.after([many, first], piece(session, f"join of {width}").do)
            session.flush()
            key = first.id
        control = world.app.control(engine)
        efforts.append(effort(engine, partial(control.cancel_tickets, [str(key)])))

    assert efforts[1] <= efforts[0] * 1.5
