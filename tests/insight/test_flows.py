"""What is shown of a flow: the tickets before and after one, as far as can be shown."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

import afterwork as aw
from afterwork.insight import FlowView, TicketFilter
from tests.support.flows import Base, piece
from tests.support.world import World


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


def flow(world: World, key: int) -> FlowView | None:
    return world.app.insight(world.engine).ticket(str(key)).flow


def levels(found: FlowView | None) -> dict[int, list[str]]:
    assert found is not None
    return {level.distance: [ticket.key for ticket in level.tickets] for level in found.levels}


def test_a_ticket_alone_has_none(world: World) -> None:
    with world.session() as session, session.begin():
        aw.later(piece(session, "a").do)

    assert flow(world, 1) is None


def test_those_before_and_after_are_shown_by_their_distance(world: World) -> None:
    with world.session() as session, session.begin():
        first, _, third = aw.chain(*(piece(session, name).do for name in "abc"))
        aw.after([first, third], piece(session, "join").do)

    found = flow(world, 3)

    assert levels(found) == {-2: ["1"], -1: ["2"], 0: ["3"], 1: ["4"]}
    assert found is not None
    assert list(found.pairs) == [("1", "2"), ("1", "4"), ("2", "3"), ("3", "4")]


def test_of_many_some_are_listed_first_those_that_have_not_ended(world: World) -> None:
    with world.session() as session, session.begin():
        many = aw.later_many(piece(session, f"{number}").do for number in range(10))
        late = aw.later_many((piece(session, f"late {number}").do for number in range(3)), after=timedelta(hours=1))
        aw.after([many, late], piece(session, "join").do)
    world.run()

    found = flow(world, 14)

    assert found is not None
    assert (found.pending, found.prerequisites) == (3, 13)
    assert levels(found)[-1] == ["11", "12", "13", "1", "2", "3", "4", "5"]
    assert found.levels[0].more.number == 5


def test_tickets_that_wait_for_others_have_a_state_and_no_due_time(world: World) -> None:
    with world.session() as session, session.begin():
        late = aw.later(piece(session, "late").do, after=timedelta(hours=1))
        aw.after([late], piece(session, "join").do)
    insight = world.app.insight(world.engine)

    (join,) = insight.tickets(TicketFilter(state="awaiting")).tickets

    assert (join.key, join.state, join.execute_earliest) == ("2", "awaiting", None)
    assert [ticket.key for ticket in insight.tickets(TicketFilter(state="scheduled")).tickets] == ["1"]
    counts = {state: count.number for state, count in insight.ticket_counts().items() if count.number}
    assert counts == {"scheduled": 1, "awaiting": 1}
    by_root = TicketFilter(state="awaiting", root="Piece!join")
    assert [ticket.key for ticket in insight.tickets(by_root).tickets] == ["2"]
